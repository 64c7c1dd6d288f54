"""Servers that are there and say nothing: no call waits for them longer than it was told to."""

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sayiir_core.errors import BackendError
from sayiir_core.ports.wakeup import HintKind
from sayiir_core.snapshot.answer import COMMITTED
from sayiir_postgres import PostgresBackend
from sayiir_postgres.address import Address
from sayiir_postgres.channel import Channel, Ear
from sayiir_postgres.errors import CallTimeoutError
from sayiir_postgres.statements import Statements
from sayiir_postgres.wakeup import PostgresWakeup
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import step
from sayiir_pytest.proxy import Proxy

PATIENCE = 30.0
TIMEOUT = 0.5
SILENT = rf"silent for {TIMEOUT:g} s \(call_timeout\)"


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "this should have happened by now"
        time.sleep(0.01)


@contextmanager
def frozen(pids: Iterable[int]) -> Iterator[None]:
    """Stop processes of the server: the kernel answers for them, and they never do."""
    stopped = set(pids)
    assert stopped
    try:
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


class Scene:
    """A rig whose server processes the test can find."""

    def __init__(self, dsn: str, schema: str, **options: object) -> None:
        self.dsn, self.name = dsn, f"silent_{schema}"
        clock = VirtualClock()
        own = make_conninfo(dsn, application_name=self.name)
        options = {"call_timeout": TIMEOUT, **options}
        self.rig = Rig(lambda: PostgresBackend(own, schema=schema, clock=clock, **options), clock)

    def pids(self, purpose: str = "") -> set[int]:
        """Return the server processes of its connections."""
        with psycopg.connect(self.dsn) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = %s",
                (f"{self.name} {purpose}".strip(),),
            )
            return {pid for (pid,) in rows.fetchall()}


@pytest.fixture
def scene(place: tuple[str, str]) -> Iterator[Scene]:
    """Give a rig over a store that waits half a second."""
    scene = Scene(*place)
    yield scene
    scene.rig.close()


def test_a_call_on_a_connection_that_stalls_is_made_on_another(scene: Scene) -> None:
    """Do every kind of operation beside a process of the server that is stopped."""
    rig = scene.rig
    hand = rig.start()
    operations = [
        lambda: rig.load(hand.instance_id),
        lambda: hand.must(*step(0)),
        lambda: rig.backend.signals.send(hand.instance_id, "go", b""),
        lambda: rig.backend.sessions.renew(hand.lease.session),
    ]

    for operation in operations:
        before = scene.pids()
        started = time.monotonic()
        with frozen(before):
            operation()
            assert time.monotonic() - started < 5
            assert scene.pids() - before

    assert 1 == len(rig.backend.signals.pending(hand.instance_id))
    until(lambda: len(scene.pids()) == 1)
    assert 1 == len(rig.history(hand.run_id))


def test_a_claim_that_is_not_answered_is_a_passing_failure(scene: Scene) -> None:
    """Name the place, the time and the option; the claim, executed late, can be given back."""
    scene.rig.create(scene.rig.new())
    session = scene.rig.session()
    claims = scene.rig.backend.claims

    with frozen(scene.pids()), pytest.raises(BackendError, match=SILENT) as caught:
        scene.rig.claim(session)

    assert caught.value.transient
    assert "PostgreSQL at 127.0.0.1:" in str(caught.value)
    until(lambda: len(scene.pids()) == 1 or claims.release_claim(session, 1) is not None)
    claims.release_claim(session, 1)
    assert 1 == len(scene.rig.claim(scene.rig.session()))


def test_a_commit_that_is_not_answered_may_be_stored(scene: Scene) -> None:
    """Say so where it cannot be done again; what it locks meanwhile is told apart."""
    database = scene.rig.backend._database
    hand = scene.rig.start()
    stopped: set[int] = set()
    parameters = {"instance_ids": [hand.instance_id]}

    def freeze_before_commit(connection: psycopg.Connection) -> None:
        with database.transaction(connection) as tx:
            tx.send("lock_instances", parameters).rows()
            pid = connection.info.backend_pid
            stopped.add(pid)
            os.kill(pid, signal.SIGSTOP)

    try:
        with pytest.raises(BackendError, match="so it may or may not be") as lost:
            database.run(freeze_before_commit, repeatable=False)
        with pytest.raises(BackendError, match=r"\[55P03\].*holds the lock") as locked:
            scene.rig.backend.control.pause(hand.instance_id, reason=None, by=None)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)

    assert lost.value.transient
    assert locked.value.transient


def test_a_second_silence_is_the_last(scene: Scene) -> None:
    """Freeze each connection that a stubborn piece of work gets, and be asked twice."""
    asked: list[int] = []

    def freeze(connection: psycopg.Connection) -> None:
        asked.append(connection.info.backend_pid)
        os.kill(asked[-1], signal.SIGSTOP)
        connection.execute("SELECT 1")

    try:
        with pytest.raises(BackendError, match=SILENT):
            scene.rig.backend._database.run(freeze, patience=(0.0,) * 5)
    finally:
        for pid in asked:
            os.kill(pid, signal.SIGCONT)

    assert 2 == len(asked) == len(set(asked))


def test_a_wait_for_a_lock_ends_on_the_server_first(scene: Scene) -> None:
    """Keep the connection, and know that nothing was written."""
    hand = scene.rig.start()
    before = scene.pids()
    schema = scene.rig.backend._database.schema
    with psycopg.connect(scene.dsn) as other:
        other.execute(f'LOCK TABLE "{schema}".cursors IN ACCESS EXCLUSIVE MODE')
        with pytest.raises(BackendError, match="55P03") as caught:
            hand.commit(*step(0))
        assert before == scene.pids()

    assert caught.value.transient
    assert COMMITTED == hand.commit(*step(0))


@pytest.mark.parametrize(
    ("given", "kept"), [("0", "400ms"), ("100ms", "100ms"), ("400ms", "400ms"), ("1h", "400ms")]
)
def test_a_shorter_limit_of_the_servers_own_is_kept(
    place: tuple[str, str], given: str, kept: str
) -> None:
    """Lower what would outlast the call timeout, and nothing else."""
    dsn = make_conninfo(place[0], options=f"-c lock_timeout={given}")
    backend = PostgresBackend(dsn, schema=place[1], call_timeout="500ms")

    shown = backend._database.run(lambda it: it.execute("SHOW lock_timeout").fetchone())

    backend.close()
    assert (kept,) == shown


def test_an_answer_that_trickles_is_waited_for(scene: Scene) -> None:
    """Take the time that a slow line takes, as long as something comes."""
    rows = scene.rig.backend._database.run(
        lambda it: it.execute(
            "SELECT pg_sleep(0.25), repeat('x', 20000) FROM generate_series(1, 4)"
        ).fetchall()
    )

    assert 4 == len(rows)


def test_a_large_value_that_is_not_taken_is_given_up(scene: Scene) -> None:
    """Stall while sending, and close without sending the rest."""
    value = bytes(30 * 1024 * 1024)
    scene.rig.start()

    with frozen(scene.pids()):
        (length,) = scene.rig.backend._database.run(
            lambda it: it.execute("SELECT octet_length(%b)", (value,)).fetchone()
        )

    assert len(value) == length


def test_a_migration_waits_for_another_one(place: tuple[str, str]) -> None:
    """Wait longer than any other call, here and on the server."""
    dsn, schema = place
    opened: list[str] = []

    def migrate() -> None:
        backend = PostgresBackend(dsn, schema=schema, call_timeout=TIMEOUT)
        try:
            backend.open()
            opened.append("opened")
        except BackendError as error:
            opened.append(str(error))
        backend.close()

    thread = threading.Thread(target=migrate)
    with psycopg.connect(dsn) as other:
        other.execute(f'CREATE SCHEMA "{schema}"')
        thread.start()
        thread.join(3 * TIMEOUT)
        waited = thread.is_alive()
        other.rollback()
    thread.join(PATIENCE)

    assert (True, ["opened"]) == (waited, opened)


@pytest.mark.parametrize("call_timeout", [0.5, 60.0])
def test_connecting_takes_no_longer_than_a_call(call_timeout: float) -> None:
    """Give up a server that accepts connections and never says hello; keep what was chosen."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        dsn = f"host=127.0.0.1 port={mute.getsockname()[1]} dbname=x connect_timeout=2"
        backend = PostgresBackend(dsn, call_timeout=call_timeout)
        started = time.monotonic()

        with pytest.raises(BackendError, match="timeout expired") as caught:
            backend.open()

    assert caught.value.transient
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("call_timeout", "dsn", "seconds"),
    [(20.0, "", 10), (60.0, "", 10), (3.5, "", 4), (0.1, "", 1), (3.5, "connect_timeout=7", "7")],
)
def test_the_time_to_connect_follows_the_call_timeout(
    call_timeout: float, dsn: str, seconds: object
) -> None:
    """Take the shorter one of the two, unless the address says otherwise."""
    address = Address(dsn, call_timeout=call_timeout)

    assert seconds == address.parameters["connect_timeout"]


@pytest.mark.parametrize("call_timeout", [0, "0s"])
def test_a_timeout_of_nothing_is_refused(call_timeout: object) -> None:
    """Ask for a length of time in which something can happen."""
    with pytest.raises(ValueError, match="call_timeout"):
        PostgresBackend("dbname=x", call_timeout=call_timeout)


def test_a_hint_passes_a_notifier_whose_connection_stalls(scene: Scene) -> None:
    """Say it again on another connection."""
    heard = threading.Event()
    address = Address(make_conninfo(scene.dsn, application_name=scene.name), call_timeout=TIMEOUT)
    statements = Statements.load(scene.name)
    speaking = PostgresWakeup(address, None, statements)
    hearing = PostgresWakeup(Address(scene.dsn), None, statements)
    subscription = hearing.subscribe(HintKind.CLAIMABLE, heard.set)
    until(lambda: subscription.trouble is None)
    speaking.hint({HintKind.CLAIMABLE})
    until(lambda: len(scene.pids("notifier")) == 1)
    assert heard.wait(PATIENCE)
    time.sleep(0.05)
    heard.clear()

    with frozen(scene.pids("notifier")):
        speaking.hint({HintKind.CLAIMABLE})
        assert heard.wait(PATIENCE)

    subscription.close()
    speaking.close()
    hearing.close()


def test_a_listener_that_is_not_let_begin_gives_up(postgres_dsn: str) -> None:
    """Never wait for the answer to LISTEN for ever."""
    port = int(conninfo_to_dict(postgres_dsn)["port"])
    bell, cord = socket.socketpair()
    with Proxy("127.0.0.1", port) as proxy, closing(bell), closing(cord):
        dsn = re.sub(rf":{port}/", f":{proxy.port}/", postgres_dsn)
        channel = Channel(Address(dsn, call_timeout=TIMEOUT), Statements.load("mute"))
        with closing(Ear(channel, bell)) as ear:
            proxy.stall()
            with pytest.raises(CallTimeoutError, match=SILENT):
                ear.listen()


def test_closing_a_store_beside_a_silent_server_ends(place: tuple[str, str]) -> None:
    """Try to end the sessions, for as long as a call takes."""
    scene = Scene(*place)
    scene.rig.session()
    with frozen(scene.pids()):
        started = time.monotonic()
        scene.rig.close()

    assert time.monotonic() - started < 5
    until(lambda: not scene.pids())


def test_connections_behind_a_network_that_swallows_all_are_given_up(
    place: tuple[str, str],
) -> None:
    """Fail while nothing passes, go on when it does, and have each step once."""
    port = int(conninfo_to_dict(place[0])["port"])
    with Proxy("127.0.0.1", port) as proxy:
        dsn = re.sub(rf":{port}/", f":{proxy.port}/", place[0])
        scene = Scene(dsn, place[1])
        hand = scene.rig.start()
        proxy.stall()
        started = time.monotonic()
        with pytest.raises(BackendError) as caught:
            scene.rig.load(hand.instance_id)
        took = time.monotonic() - started
        proxy.flow()
        hand.must(*step(0))
        assert 1 == len(scene.rig.history(hand.run_id))
        scene.rig.close()

    assert caught.value.transient
    assert took < timedelta(seconds=8).total_seconds()
