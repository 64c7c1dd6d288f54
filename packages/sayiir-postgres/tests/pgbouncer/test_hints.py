"""Hints behind PgBouncer in transaction mode, where LISTEN succeeds and nothing arrives."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from sayiir_core.ports.wakeup import HintKind
from sayiir_postgres import PostgresBackend
from sayiir_postgres.address import Address
from sayiir_postgres.listener import Pace
from sayiir_postgres.statements import Statements
from sayiir_postgres.wakeup import PostgresSubscription, PostgresWakeup

PATIENCE = 60.0
SCHEMA = "hints"
HASTE = Pace(proof=0.5, silence=(0.05, 0.05))
POOL = 30
FREED = {HintKind.CLAIMABLE}


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "this should have happened by now"
        time.sleep(0.01)


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Close what a test opens."""
    with ExitStack() as stack:
        yield stack


def connect(
    opened: ExitStack, dsn: str, listen_url: str | None, heard: Callable[[], None]
) -> tuple[PostgresWakeup, PostgresSubscription]:
    """Return a wake-up that is quick to give up, and a subscription to it."""
    hearing = None if listen_url is None else Address(listen_url)
    wakeup = PostgresWakeup(Address(dsn), hearing, Statements.load(SCHEMA), pace=HASTE)
    opened.callback(wakeup.close)
    return wakeup, wakeup.subscribe(HintKind.CLAIMABLE, heard)


def left_behind(dsn: str) -> list[str]:
    """Return the channels that any server connection of the pool still listens to."""
    with ExitStack() as stack:
        channels: list[str] = []
        for _ in range(POOL):
            connection = stack.enter_context(psycopg.connect(dsn, prepare_threshold=None))
            # The transaction stays open, so that each has a server connection of its own.
            rows = connection.execute("SELECT pg_listening_channels()").fetchall()
            channels += (name for (name,) in rows)
        return channels


def test_without_a_direct_address_the_remedy_is_told_once(
    bouncer: tuple[str, str, Path], opened: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    """Say why nothing arrives, try again now and then, and leave nothing on the pool."""
    dsn = bouncer[0]
    wakeup, subscription = connect(opened, dsn, None, lambda: None)
    until(lambda: "listen_url=" in (subscription.trouble or ""))
    listener = wakeup._own()._listener
    assert listener is not None

    until(lambda: listener._proofs > 2)

    wakeup.close()
    warnings = [it for it in caplog.records if it.levelno == logging.WARNING]
    assert 1 == len(warnings)
    assert "pooler in transaction mode" in warnings[0].getMessage()
    until(lambda: not left_behind(dsn))


def test_a_direct_address_hears_what_is_told_through_the_pooler(
    bouncer: tuple[str, str, Path], opened: ExitStack
) -> None:
    """Send by the pooler, listen past it."""
    dsn, server, _ = bouncer
    heard: list[None] = []
    _, subscription = connect(opened, dsn, server, lambda: heard.append(None))
    teller, _ = connect(opened, dsn, server, lambda: None)
    until(lambda: subscription.trouble is None)
    before = len(heard)

    teller.hint(FREED)

    until(lambda: len(heard) > before)


def test_a_direct_address_of_another_database_is_found_out(
    bouncer: tuple[str, str, Path],
    opened: ExitStack,
    postgres_database: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Prove the whole way, from where is told to where is heard."""
    secret = "tell-n0body"
    elsewhere = make_conninfo(postgres_database, password=secret)
    _, subscription = connect(opened, bouncer[0], elsewhere, lambda: None)

    until(lambda: "the same database" in (subscription.trouble or ""))

    assert str(Address(elsewhere)) in (subscription.trouble or "")
    assert secret not in (subscription.trouble or "") + caplog.text


def test_an_unreadable_direct_address_is_refused() -> None:
    """Raise in the constructor, without repeating it."""
    with pytest.raises(ValueError, match="connection string") as caught:
        PostgresBackend("dbname=store", listen_url="postgresql://me:secret@host:port/?nonsense=1")

    assert "secret" not in str(caught.value)
