"""Connections that come, go and break."""

import gc
import threading
import time
from datetime import timedelta

import psycopg
import pytest

from sayiir_core.errors import BackendError
from sayiir_core.snapshot.answer import COMMITTED
from sayiir_postgres import PostgresBackend
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import step
from sayiir_pytest.postgres_server import PostgresServer


class Watched:
    """A rig whose connections the test can find on the server."""

    def __init__(self, dsn: str, schema: str, **arguments: object) -> None:
        self.dsn = dsn
        self.name = f"watched_{schema}"
        clock = VirtualClock()
        own = psycopg.conninfo.make_conninfo(dsn, application_name=self.name)
        self.rig = Rig(lambda: PostgresBackend(own, schema=schema, clock=clock, **arguments), clock)

    def pids(self) -> set[int]:
        """Return the server processes of its connections."""
        with psycopg.connect(self.dsn) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = %s", (self.name,)
            )
            return {pid for (pid,) in rows.fetchall()}

    def are_gone(self, *, but: int | None = None) -> bool:
        """Wait until the server has noticed that all its connections have ended, but one."""
        deadline = time.monotonic() + 30
        while self.pids() - {but}:
            assert time.monotonic() < deadline, "the server still has a connection"
            time.sleep(0.01)
        return True

    def break_all(self) -> None:
        """End all its connections from the server's side, and wait until they are gone."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for pid in self.pids():
                connection.execute("SELECT pg_terminate_backend(%s::int)", (pid,))
        assert self.are_gone()


def test_a_connection_is_used_again(place: tuple[str, str]) -> None:
    """Keep one connection for one operation after the other."""
    watched = Watched(*place)
    hand = watched.rig.start()
    before = watched.pids()

    for node in range(5):
        hand.must(*step(node))

    assert 1 == len(before)
    assert before == watched.pids()
    watched.rig.close()
    assert watched.are_gone()


def test_no_more_connections_are_opened_than_allowed(place: tuple[str, str]) -> None:
    """Let twelve threads share two connections."""
    watched = Watched(*place, max_connections=2)
    hands = [watched.rig.start() for _ in range(12)]
    threads = [
        threading.Thread(target=lambda own=hand: [own.must(*step(node)) for node in range(5)])
        for hand in hands
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(watched.pids()) <= 2
    assert {5} == {hand.cursor().seq for hand in hands}
    watched.rig.close()


def test_what_is_lent_while_the_store_is_closed_is_closed_when_it_comes_back(
    place: tuple[str, str],
) -> None:
    """Leave nothing open behind a close, neither the connection of a call nor that of its repeat."""
    watched = Watched(*place)
    watched.rig.start()
    lent, go_on = threading.Event(), threading.Event()
    used: list[int] = []

    def work(connection: psycopg.Connection) -> None:
        used.append(connection.info.backend_pid)
        lent.set()
        assert go_on.wait(30)
        if len(used) == 1:
            watched.break_all()
        connection.execute("SELECT 1")

    thread = threading.Thread(target=lambda: watched.rig.backend._database.run(work))
    thread.start()
    assert lent.wait(30)
    watched.rig.close()
    assert watched.are_gone(but=used[0])
    before = watched.pids()
    go_on.set()
    thread.join(30)

    assert ({used[0]}, 2) == (before, len(set(used)))
    assert watched.are_gone()


def test_what_is_used_after_a_close_is_kept_until_the_next(place: tuple[str, str]) -> None:
    """Open anew for who comes later, once, and close that too."""
    watched = Watched(*place)
    watched.rig.start()
    watched.rig.close()
    assert watched.are_gone()

    found = []
    for _ in range(3):
        watched.rig.session()
        found.append(watched.pids())
    watched.rig.close()

    assert 1 == len(found[0])
    assert found[0] == found[1] == found[2]
    assert watched.are_gone()


def test_a_store_that_is_used_behind_its_close_and_dropped_leaves_nothing_open(
    place: tuple[str, str],
) -> None:
    """Close with the last reference what a late heartbeat opened, and warn of nothing."""
    watched = Watched(*place)
    watched.rig.start()
    watched.rig.close()
    assert watched.are_gone()
    watched.rig.session()
    late = watched.pids()

    watched.rig = None
    gc.collect()

    assert 1 == len(late)
    assert watched.are_gone()


def test_a_broken_idle_connection_is_replaced_unnoticed(place: tuple[str, str]) -> None:
    """Do every kind of operation on a connection that the server has ended meanwhile."""
    watched = Watched(*place)
    rig = watched.rig
    hand = rig.start()
    operations = [
        lambda: rig.load(hand.instance_id),
        lambda: rig.backend.signals.send(hand.instance_id, "go", b""),
        lambda: rig.create(rig.new()),
        lambda: hand.must(*step(0)),
        lambda: rig.backend.control.pause(hand.instance_id, reason=None, by=None),
        lambda: rig.backend.control.unpause(hand.instance_id),
        lambda: rig.backend.sessions.renew(hand.lease.session),
    ]

    for operation in operations:
        watched.break_all()
        operation()

    assert 1 == len(rig.backend.signals.pending(hand.instance_id))
    rig.close()


def test_a_claim_on_a_broken_connection_is_a_passing_failure(place: tuple[str, str]) -> None:
    """Never repeat a claim unasked: its number may be used up."""
    watched = Watched(*place)
    watched.rig.create(watched.rig.new())
    session = watched.rig.session()
    watched.rig.claim(watched.rig.session(), limit=1)
    watched.break_all()

    with pytest.raises(BackendError) as caught:
        watched.rig.claim(session)

    assert caught.value.transient
    watched.rig.close()


def test_a_commit_waits_out_a_restart_of_the_server() -> None:
    """Send again until the server is back, and apply once."""
    clock = VirtualClock()
    with PostgresServer() as server:
        rig = Rig(lambda: PostgresBackend(server.dsn, clock=clock), clock)
        hand = rig.start()
        server.stop("immediate")
        restart = threading.Thread(target=server.start)

        restart.start()
        answer = hand.commit(*step(0))
        restart.join()

        assert COMMITTED == answer
        assert 1 == len(rig.history(hand.run_id))
        rig.close()


def test_closing_never_fails_for_a_store_that_is_gone() -> None:
    """Close with a live session after the server went away; its lease expires by itself."""
    clock = VirtualClock()
    with PostgresServer() as server:
        rig = Rig(lambda: PostgresBackend(server.dsn, clock=clock), clock)
        rig.start()
        server.stop("immediate")

        rig.close()


def test_behind_a_pooler_nothing_is_prepared(place: tuple[str, str]) -> None:
    """Prepare statements on connections of one's own only."""
    prepared = {}
    for pooler in (False, True):
        watched = Watched(*place, pooler=pooler)
        hand = watched.rig.start()
        for node in range(6):
            hand.must(*step(node))
        rows = watched.rig.backend._database.run(
            lambda it: it.execute("SELECT count(*) FROM pg_prepared_statements").fetchall()
        )
        prepared[pooler] = rows[0][0]
        watched.rig.close()

    assert prepared[False] > 0
    assert 0 == prepared[True]


def test_a_database_that_isolates_more_does_no_harm(postgres_database: str) -> None:
    """Set the isolation of every connection, whatever the database's own setting."""
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        (name,) = connection.execute("SELECT current_database()").fetchone()
        setting = f'ALTER DATABASE "{name}" SET default_transaction_isolation = serializable'
        connection.execute(setting)
    rig = Rig(lambda: PostgresBackend(postgres_database, clock=clock), clock := VirtualClock())
    hand = rig.start()
    hand.must(*step())

    (isolation,) = rig.backend._database.run(
        lambda it: it.execute("SHOW transaction_isolation").fetchone()
    )

    rig.close()
    assert "read committed" == isolation


def test_the_servers_clock_is_estimated_without_a_round_trip(place: tuple[str, str]) -> None:
    """Stay within a second of the server, move on, and never go back."""
    dsn, schema = place
    backend = PostgresBackend(dsn, schema=schema)
    backend.open()
    readings = [backend.now() for _ in range(1000)]
    (server,) = backend._database.run(lambda it: it.execute("SELECT clock_timestamp()").fetchone())

    backend.close()
    assert readings == sorted(readings)
    assert readings[0] < readings[-1]
    assert abs(server - readings[-1]) < timedelta(seconds=1)
    assert timedelta(0) == readings[0].utcoffset()
