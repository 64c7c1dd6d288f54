"""Hints within a process and across processes, and what ends with whom."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from sayiir_postgres import PostgresBackend, notifier
from sayiir_postgres.address import Address
from sayiir_postgres.channel import Channel
from sayiir_postgres.notifier import LONGEST_PAUSE, SHORTEST_PAUSE, Notifier
from sayiir_postgres.statements import Statements
from sayiir_postgres.wakeup import PostgresWakeup
from sayiir_pytest.conformance.child import in_forked_child
from sayiir_pytest.conformance.listener import Listener

QUIET = timedelta(seconds=0.1)
PATIENCE = 60.0

SUBMIT_AND_END = """
import sys
from sayiir_postgres import PostgresBackend
dsn, schema = sys.argv[1:]
backend = PostgresBackend(dsn, schema=schema)
backend.wakeup.subscribe(lambda: None)
backend.wakeup.made_ready()
"""


def listen(wakeup: PostgresWakeup) -> Listener:
    """Subscribe, for a ``with`` block."""
    return Listener(wakeup, quiet=QUIET)


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "this should have happened by now"
        time.sleep(0.01)


def own_threads() -> set[str]:
    """Return the names of this adapter's threads that run."""
    names = {it.name for it in threading.enumerate()}
    return names & {"sayiir-listener", "sayiir-notifier"}


class Pair:
    """Two backends on one schema, as two processes would have them."""

    def __init__(self, dsn: str, schema: str) -> None:
        self.name = f"pair_{os.getpid()}_{id(self)}"
        self.dsn = make_conninfo(dsn, application_name=self.name)
        self.here, self.there = (PostgresBackend(self.dsn, schema=schema) for _ in range(2))

    def close(self) -> None:
        """Close both."""
        self.here.close()
        self.there.close()

    def server_processes(self, purpose: str) -> set[int]:
        """Return the server's processes that serve connections of one purpose."""
        with psycopg.connect(self.dsn) as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
            rows = connection.execute(query, (f"{self.name} {purpose}",)).fetchall()
        return {pid for (pid,) in rows}


@pytest.fixture
def pair(place: tuple[str, str]) -> Iterator[Pair]:
    """Give two backends, closed after the test."""
    with closing(Pair(*place)) as pair:
        yield pair


def test_subscribers_of_this_process_need_no_server() -> None:
    """Call them on the thread of the change, whether or not anything can be reached."""
    threads: list[threading.Thread] = []
    address = Address("host=127.0.0.1 port=1 connect_timeout=1")
    wakeup = PostgresWakeup(address, None, Statements.load("any"))
    subscription = wakeup.subscribe(lambda: threads.append(threading.current_thread()))

    wakeup.made_ready()

    assert [threading.current_thread()] == threads
    subscription.close()
    wakeup.close()


def test_own_hints_do_not_come_back(pair: Pair) -> None:
    """Hear one's own hint once, though the server tells it to every listener."""
    with listen(pair.here.wakeup) as own, listen(pair.there.wakeup) as other:
        own.settle()
        before = own.count

        assert other.hears(pair.here.wakeup.made_ready)
        assert other.hears(pair.here.wakeup.made_ready)

        own.settle()
        assert before + 2 == own.count


def test_many_hints_leave_together(pair: Pair) -> None:
    """Send few for thousands, and the last one never before the last change."""
    with listen(pair.there.wakeup) as other:
        other.settle()
        before = other.count

        start = time.monotonic()
        for _ in range(2000):
            pair.here.wakeup.made_ready()
        took = time.monotonic() - start
        other.settle()

        assert 1 <= other.count - before <= 2 + took / SHORTEST_PAUSE
        assert other.count - before < 1000
        assert other.hears(pair.here.wakeup.made_ready)


def test_a_schema_may_have_any_name(postgres_database: str) -> None:
    """Use it as the channel's name, quoted, up to the server's 63 bytes."""
    pair = Pair(postgres_database, 'a "odd" Näme{0}; \'' + 44 * "x")
    with closing(pair), listen(pair.there.wakeup) as other:
        assert other.hears(pair.here.wakeup.made_ready)


def test_a_schema_hears_nothing_of_another_one(place: tuple[str, str]) -> None:
    """Keep the stores of one database apart."""
    dsn, schema = place
    with (
        closing(Pair(dsn, schema)) as pair,
        closing(PostgresBackend(dsn, schema=f"{schema}_2")) as stranger,
        listen(pair.there.wakeup) as other,
    ):
        other.settle()
        before = other.count

        stranger.wakeup.made_ready()
        stranger.close()

        other.settle()
        assert before == other.count


def test_nothing_is_notified_within_the_transactions_of_the_data() -> None:
    """Send by a statement of its own only, since NOTIFY makes commits queue up."""
    statements = Statements.load("any")

    saying = {name for name in statements if b"notify" in statements[name].lower()}

    assert {"notify"} == saying


def test_closing_the_last_subscription_ends_the_listening(pair: Pair) -> None:
    """Keep the connection while anybody subscribes."""
    one, two = (pair.here.wakeup.subscribe(lambda: None) for _ in range(2))
    until(lambda: one.trouble is None)

    one.close()
    while_one_is_left = pair.server_processes("listener")
    two.close()

    until(lambda: not pair.server_processes("listener"))
    assert 1 == len(while_one_is_left)
    assert one.trouble is not None


def test_a_closed_backend_keeps_no_thread_and_no_connection(pair: Pair) -> None:
    """End both at once, and come back when the backend is used again."""
    with listen(pair.here.wakeup) as listener:
        assert listener.hears(pair.there.wakeup.made_ready)
        pair.there.close()

        pair.here.close()
        threads, trouble = own_threads(), listener.subscription.trouble
        until(lambda: not pair.server_processes("listener") | pair.server_processes("notifier"))
        pair.here.open()

        assert listener.hears(pair.there.wakeup.made_ready)
    assert set() == threads
    assert "closed" in (trouble or "")


def test_the_notifier_rests_after_a_while(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the connection back where there is nothing to tell, and begin anew."""
    with listen(pair.there.wakeup) as other:
        other.settle()
        monkeypatch.setattr(notifier, "_LINGER", 0.01)
        for _ in range(3):
            assert other.hears(pair.here.wakeup.made_ready)

        # The other one's notifier has sent a proof, and waits for the time that was.
        until(lambda: 1 == len(pair.server_processes("notifier")))
        assert other.hears(pair.here.wakeup.made_ready)


def test_a_process_that_ends_leaves_its_last_hint(place: tuple[str, str]) -> None:
    """Wait a moment for it at exit, and for nothing else: subscribers keep no process alive."""
    with closing(Pair(*place)) as pair, listen(pair.here.wakeup) as listener:

        def run() -> None:
            command = [sys.executable, "-W", "error", "-c", SUBMIT_AND_END, *place]
            done = subprocess.run(command, check=True, timeout=PATIENCE, capture_output=True)
            assert b"" == done.stderr

        assert listener.hears(run)


def test_a_forked_child_hints_by_itself_and_disturbs_nobody(pair: Pair) -> None:
    """Start with nothing in the child, and leave the parent's threads and connections alone."""
    with listen(pair.here.wakeup) as listener, listen(pair.there.wakeup) as other:
        assert other.hears(pair.here.wakeup.made_ready)
        listener.settle()
        before = pair.server_processes("listener")

        def work() -> None:
            assert "subscribe in this one" in (listener.subscription.trouble or "")
            listener.subscription.close()
            pair.here.wakeup.made_ready()
            with listen(pair.here.wakeup) as own:
                own.settle()
            pair.here.close()

        assert other.hears(lambda: in_forked_child(work))

        assert before == pair.server_processes("listener")
        assert listener.hears(pair.there.wakeup.made_ready)


class ScriptedEvent(threading.Event):
    """An event that is never set, and that notes how long it was waited for."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._meanwhile = meanwhile

    def wait(self, timeout: float | None = None) -> bool:
        """Take no time, and let happen what happens meanwhile."""
        assert timeout is not None
        self.waits.append(timeout)
        self._meanwhile()
        return False


@pytest.mark.parametrize(
    ("heard", "expected"), [([], 1), ([3], 4), ([1, 1, 1], 4), ([1, 1], 3), ([10_000], 25)]
)
def test_a_pause_is_shared_with_those_who_are_heard_in_it(
    heard: list[int], expected: float
) -> None:
    """Say as much together as one would alone, within a bound."""
    address = Address("host=127.0.0.1 port=1")
    sender = Notifier(Channel(address, Statements.load("any")), "token")
    outbox = notifier._Outbox()
    rest = list(heard)
    outbox.stopping = ScriptedEvent(lambda: sender.heard(rest.pop(0)) if rest else None)

    sender._pause(outbox, LONGEST_PAUSE)

    assert expected * LONGEST_PAUSE == pytest.approx(sum(outbox.stopping.waits))


class WatchedLock:
    """A lock that notes what holds when it is given back."""

    def __init__(self, look: Callable[[], object]) -> None:
        self.seen: list[object] = []
        self._look = look

    def __enter__(self) -> None:
        """Take no lock: the test has one thread."""

    def __exit__(self, *_: object) -> None:
        """Note what holds."""
        self.seen.append(self._look())


def test_a_stop_never_slips_between_two_looks_of_the_thread() -> None:
    """Stop and wake under the lock, or the thread clears the wake-up and sleeps for a minute."""
    address = Address("host=127.0.0.1 port=1")
    sender = Notifier(Channel(address, Statements.load("any")), "token")
    outbox = sender._outbox = notifier._Outbox()
    outbox.thread = threading.Thread(target=lambda: None)
    outbox.thread.start()
    lock = WatchedLock(lambda: (outbox.stopping.is_set(), outbox.waiting.is_set()))
    sender._lock = lock  # type: ignore[assignment]

    sender.stop()

    assert [(True, True)] == lock.seen
