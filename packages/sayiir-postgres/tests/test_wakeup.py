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

from sayiir_core.ports.wakeup import HintKind
from sayiir_postgres import PostgresBackend, notifier
from sayiir_postgres.address import Address
from sayiir_postgres.channel import Channel, hinted_by_others
from sayiir_postgres.notifier import SHORTEST_PAUSE, Notifier
from sayiir_postgres.statements import Statements
from sayiir_postgres.wakeup import PostgresWakeup
from sayiir_pytest.conformance.child import in_forked_child
from sayiir_pytest.conformance.listener import Listener

QUIET = timedelta(seconds=0.1)
FREED = {HintKind.CLAIMABLE}
PATIENCE = 60.0

SUBMIT_AND_END = """
import sys
from sayiir_core.ports.wakeup import HintKind
from sayiir_postgres import PostgresBackend
dsn, schema = sys.argv[1:]
backend = PostgresBackend(dsn, schema=schema)
backend.wakeup.subscribe(HintKind.CLAIMABLE, lambda: None)
backend.wakeup.hint({HintKind.CLAIMABLE})
"""


def listen(wakeup: PostgresWakeup) -> Listener:
    """Subscribe, for a ``with`` block."""
    return Listener(wakeup, HintKind.CLAIMABLE, quiet=QUIET)


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
    subscription = wakeup.subscribe(
        HintKind.CLAIMABLE, lambda: threads.append(threading.current_thread())
    )

    wakeup.hint(FREED)

    assert [threading.current_thread()] == threads
    subscription.close()
    wakeup.close()


def test_own_hints_do_not_come_back(pair: Pair) -> None:
    """Hear one's own hint once, though the server tells it to every listener."""
    with listen(pair.here.wakeup) as own, listen(pair.there.wakeup) as other:
        own.settle()
        before = own.count

        assert other.hears(lambda: pair.here.wakeup.hint(FREED))
        assert other.hears(lambda: pair.here.wakeup.hint(FREED))

        own.settle()
        assert before + 2 == own.count


def test_many_hints_leave_together(pair: Pair) -> None:
    """Send few for thousands, and the last one never before the last change."""
    with listen(pair.there.wakeup) as other:
        other.settle()
        before = other.count

        start = time.monotonic()
        for _ in range(2000):
            pair.here.wakeup.hint(FREED)
        took = time.monotonic() - start
        other.settle()

        assert 1 <= other.count - before <= 2 + took / SHORTEST_PAUSE
        assert other.count - before < 1000
        assert other.hears(lambda: pair.here.wakeup.hint(FREED))


def test_a_schema_may_have_any_name(postgres_database: str) -> None:
    """Use it as the channel's name, quoted, up to the server's 63 bytes."""
    pair = Pair(postgres_database, 'a "odd" Näme{0}; \'' + 44 * "x")
    with closing(pair), listen(pair.there.wakeup) as other:
        assert other.hears(lambda: pair.here.wakeup.hint(FREED))


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

        stranger.wakeup.hint(FREED)
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
    one, two = (pair.here.wakeup.subscribe(HintKind.CLAIMABLE, lambda: None) for _ in range(2))
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
        assert listener.hears(lambda: pair.there.wakeup.hint(FREED))
        pair.there.close()

        pair.here.close()
        threads, trouble = own_threads(), listener.subscription.trouble
        until(lambda: not pair.server_processes("listener") | pair.server_processes("notifier"))
        pair.here.open()

        assert listener.hears(lambda: pair.there.wakeup.hint(FREED))
    assert set() == threads
    assert "closed" in (trouble or "")


def test_the_notifier_rests_after_a_while(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the connection back where there is nothing to tell, and begin anew."""
    with listen(pair.there.wakeup) as other:
        other.settle()
        monkeypatch.setattr(notifier, "_LINGER", 0.01)
        for _ in range(3):
            assert other.hears(lambda: pair.here.wakeup.hint(FREED))

        # The other one's notifier has sent a proof, and waits for the time that was.
        until(lambda: 1 == len(pair.server_processes("notifier")))
        assert other.hears(lambda: pair.here.wakeup.hint(FREED))


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
        assert other.hears(lambda: pair.here.wakeup.hint(FREED))
        listener.settle()
        before = pair.server_processes("listener")

        def work() -> None:
            assert "subscribe in this one" in (listener.subscription.trouble or "")
            listener.subscription.close()
            pair.here.wakeup.hint(FREED)
            with listen(pair.here.wakeup) as own:
                own.settle()
            pair.here.close()

        assert other.hears(lambda: in_forked_child(work))

        assert before == pair.server_processes("listener")
        assert listener.hears(lambda: pair.there.wakeup.hint(FREED))


def test_kinds_are_told_apart_on_their_way(pair: Pair) -> None:
    """Tell another process of the kinds that a hint has, and of no other."""
    there = pair.there.wakeup
    with listen(there) as claiming, Listener(there, HintKind.ENDED, quiet=QUIET) as waiting:
        claiming.settle()
        waiting.settle()
        heard = []

        for kinds in ({HintKind.CLAIMABLE}, {HintKind.ENDED}, {*HintKind}):
            before = claiming.count, waiting.count
            pair.here.wakeup.hint(kinds)
            assert claiming.reaches(before[0] + (HintKind.CLAIMABLE in kinds))
            assert waiting.reaches(before[1] + (HintKind.ENDED in kinds))
            claiming.settle()
            waiting.settle()
            heard.append((claiming.count - before[0], waiting.count - before[1]))

    assert [(1, 0), (0, 1), (1, 1)] == heard


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("me:claimable", set()),
        ("me?7", set()),
        ("other?7", set()),
        ("other:ended", {HintKind.ENDED}),
        ("other:claimable ended", {*HintKind}),
        ("other", {*HintKind}),
        ("", {*HintKind}),
        ("other:unheard-of", {*HintKind}),
    ],
)
def test_what_names_no_kind_is_a_hint_of_every_kind(payload: str, expected: set[HintKind]) -> None:
    """Miss nothing of what is said by hand, or by a process of another release."""
    assert expected == hinted_by_others(payload, "me")


@pytest.mark.parametrize(("heard", "expected"), [(0, 1), (1, 2), (3, 4), (10_000, 250)])
def test_a_pause_is_shared_with_those_who_are_heard_in_it(heard: int, expected: float) -> None:
    """Say as much together as one would alone, within a bound."""
    rest = notifier._Rest()
    rest.begin(100.0, given=100.0)

    rest.heard += heard

    assert expected * SHORTEST_PAUSE == pytest.approx(rest.over - 100.0)


def test_a_pause_grows_while_hints_keep_coming() -> None:
    """Double it for a hint that was given in the last one, up to a bound, and forget it later."""
    rest = notifier._Rest()
    rest.begin(100.0, given=99.0)
    pauses = []
    for _ in range(6):
        given, now = rest.over - 0.0005, rest.over
        rest.begin(now, given=given)
        pauses.append(round((rest.over - now) / SHORTEST_PAUSE))
    rest.begin(200.0, given=199.0)

    assert [2, 4, 8, 10, 10, 10] == pauses
    assert SHORTEST_PAUSE == pytest.approx(rest.over - 200.0)


def test_ends_heard_of_others_do_not_delay_a_hint_of_new_work(pair: Pair) -> None:
    """Let a kind rest alone: whoever waits for work was not woken by an end.

    The pause behind the first hint of an end is made to last, and a hint of new work leaves in it.
    """
    here = pair.here.wakeup
    with listen(pair.there.wakeup) as claiming:
        claiming.settle()
        here.hint({HintKind.ENDED})
        sender = here._own().notifier
        until(lambda: sender._rests[HintKind.ENDED].over > 0)
        sender._rests[HintKind.ENDED].begin(time.monotonic() + 3600, given=-1.0)

        assert claiming.hears(lambda: here.hint(FREED))
        here.hint({HintKind.ENDED})
        assert claiming.hears(lambda: here.hint(FREED))
        assert {HintKind.ENDED} == sender._outbox.due.keys() if sender._outbox else False
        sender._rests[HintKind.ENDED].begin(0.0, given=-1.0)


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


def test_hints_of_others_silence_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """They made the rest longer behind a thread that had fallen asleep for a minute."""
    said: list[str] = []

    class Said:
        def __init__(self, _: object) -> None: ...

        def say(self, payload: str, *, often: bool = False) -> None:  # noqa: ARG002 - as Speaker
            said.append(payload)

        def close(self) -> None: ...

    monkeypatch.setattr(notifier, "Speaker", Said)
    one = Notifier(None, "token")  # type: ignore[arg-type] - nobody connects
    for _ in range(100):
        one.hint(FREED)
        time.sleep(SHORTEST_PAUSE / 2)
    time.sleep(0.05)
    before = len(said)

    one.heard({HintKind.CLAIMABLE: 30})
    one.hint(FREED)

    deadline = time.monotonic() + 5.0
    while len(said) == before and time.monotonic() < deadline:
        time.sleep(0.005)
    assert len(said) > before
    one.stop()
