"""Hints through restarts of the server, broken connections, and peers that vanish."""

import logging
import os
import re
import signal
import socket
import time
from collections.abc import Callable

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from sayiir_core.ports.wakeup import HintKind
from sayiir_postgres.address import Address
from sayiir_postgres.listener import Pace
from sayiir_postgres.statements import Statements
from sayiir_postgres.wakeup import PostgresWakeup
from sayiir_pytest.postgres_server import PostgresServer

SECRET = "tell-n0body"
PATIENCE = 60.0

FREED = {HintKind.CLAIMABLE}


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "this should have happened by now"
        time.sleep(0.01)


class Station:
    """One who listens and tells, with names on the server."""

    def __init__(self, dsn: str, name: str, pace: Pace | None = None) -> None:
        self.dsn, self.name, self.count = dsn, name, 0
        address = Address(make_conninfo(dsn, application_name=name))
        self.wakeup = PostgresWakeup(address, None, Statements.load("outage"), pace=pace)
        self.subscription = self.wakeup.subscribe(HintKind.CLAIMABLE, self._hear)

    def _hear(self) -> None:
        self.count += 1

    def server_process(self, purpose: str) -> int | None:
        """Return the server's process for a connection."""
        with psycopg.connect(self.dsn) as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
            row = connection.execute(query, (f"{self.name} {purpose}",)).fetchone()
        return None if row is None else row[0]

    def terminate(self, purpose: str) -> None:
        """End a connection from the server's side."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            pid = self.server_process(purpose)
            connection.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))

    def well(self) -> bool:
        """Tell whether hints arrive."""
        return self.subscription.trouble is None

    def hears(self, tell: Callable[[], None]) -> bool:
        """Wait for the hint that follows."""
        before = self.count
        tell()
        until(lambda: self.count > before)
        return True

    def close(self) -> None:
        """Listen and tell no more."""
        self.subscription.close()
        self.wakeup.close()


def test_hints_flow_again_after_a_restart_of_the_server(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Say what is wrong while it is, once in the log, and make up for what was missed."""
    caplog.set_level(logging.INFO, "sayiir.postgres")
    with PostgresServer() as server:
        one, two = Station(server.dsn, "one"), Station(server.dsn, "two")
        until(lambda: one.well() and two.well())
        assert two.hears(lambda: one.wakeup.hint(FREED))

        server.stop("immediate")
        until(lambda: not two.well())
        trouble = two.subscription.trouble or ""
        # A hint that nobody can be told now is told when somebody can.
        one.wakeup.hint(FREED)
        until(lambda: one.wakeup._own().notifier.trouble is not None)
        missed = two.count
        server.start()
        until(lambda: one.well() and two.well())

        until(lambda: two.count > missed)
        assert two.hears(lambda: one.wakeup.hint(FREED))
        one.close()
        two.close()
    assert str(Address(server_place(trouble))) in trouble
    levels = [it.levelno for it in caplog.records if it.name == "sayiir.postgres"]
    assert [logging.INFO] * 2 + [logging.WARNING] * 2 == sorted(levels)


def server_place(text: str) -> str:
    """Return the first address that a text names, as a connection string."""
    found = re.search(r"PostgreSQL at ([^:]+):(\d+)/(\w+)", text)
    assert found is not None
    return "host={} port={} dbname={}".format(*found.groups())


def test_a_listener_whose_connection_is_ended_listens_again(postgres_dsn: str) -> None:
    """Connect again at once, and give a hint for what was missed."""
    one, two = Station(postgres_dsn, "ended-1"), Station(postgres_dsn, "ended-2")
    until(lambda: one.well() and two.well())
    before, heard = two.server_process("listener"), two.count

    two.terminate("listener")
    until(lambda: two.count > heard and two.well())

    assert before != two.server_process("listener")
    assert two.hears(lambda: one.wakeup.hint(FREED))
    one.close()
    two.close()


def test_a_notifier_whose_connection_is_ended_sends_on_another(postgres_dsn: str) -> None:
    """Lose no hint by it."""
    one, two = Station(postgres_dsn, "silent-1"), Station(postgres_dsn, "silent-2")
    until(lambda: one.well() and two.well())

    for _ in range(3):
        one.terminate("notifier")
        assert two.hears(lambda: one.wakeup.hint(FREED))

    one.close()
    two.close()


def test_a_peer_that_vanished_without_a_word_is_noticed(postgres_dsn: str) -> None:
    """Ask for a proof where nothing was heard for a while, and go elsewhere without it."""
    station = Station(postgres_dsn, "frozen", Pace(quiet=0.1, proof=1.0))
    until(station.well)
    frozen = station.server_process("listener")
    assert frozen is not None

    os.kill(frozen, signal.SIGSTOP)
    try:
        until(lambda: not station.well())
        trouble = station.subscription.trouble or ""
        until(station.well)
    finally:
        os.kill(frozen, signal.SIGCONT)

    assert "does not answer any more" in trouble
    station.close()


def test_a_server_that_was_never_there_is_told_without_the_password(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Subscribe without waiting, and name the place, the reason and nothing secret."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    dsn = f"postgresql://me:{SECRET}@127.0.0.1:{port}/store"
    hearing = Address(f"postgresql://me:{SECRET}2@127.0.0.1:{port}/store")
    wakeup = PostgresWakeup(
        Address(dsn), hearing, Statements.load("any"), pace=Pace(outage=(0.01, 0.01))
    )

    subscription = wakeup.subscribe(HintKind.CLAIMABLE, lambda: None)
    at_first = subscription.trouble
    until(lambda: "refused" in (subscription.trouble or ""))
    trouble = subscription.trouble
    wakeup.hint(FREED)
    notifier = wakeup._own().notifier
    until(lambda: notifier.trouble is not None)

    told = [at_first, trouble, notifier.trouble, caplog.text]
    subscription.close()
    wakeup.close()
    assert all(text is not None and f"127.0.0.1:{port}/store" in text for text in told)
    assert not any(SECRET in (text or "") for text in told)
    assert 1 == len([it for it in caplog.records if it.name == "sayiir.postgres"])


def test_one_trouble_is_logged_once_however_long_it_lasts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Try again and again, and say it the first time."""
    address = Address("host=127.0.0.1 port=1 dbname=store")
    wakeup = PostgresWakeup(address, None, Statements.load("any"), pace=Pace(outage=(0.01, 0.01)))
    attempts: list[None] = []
    connect = wakeup._hearing.connect

    def count(purpose: str) -> psycopg.Connection[tuple[object, ...]]:
        attempts.append(None)
        return connect(purpose)

    wakeup._hearing.connect = count  # type: ignore[method-assign]
    subscription = wakeup.subscribe(HintKind.CLAIMABLE, lambda: None)
    until(lambda: len(attempts) > 5)

    subscription.close()
    wakeup.close()
    assert 1 == len([it for it in caplog.records if it.name == "sayiir.postgres"])
