"""Hints: at once for what this process writes, soon for what others write."""

from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from sayiir_core.errors import BackendError
from sayiir_core.ids import InstanceId
from sayiir_core.ports.wakeup import HintKind
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.child import in_forked_child
from sayiir_pytest.conformance.listener import PATIENCE, Listener
from sayiir_pytest.conformance.occasion import CLAIMABLE, ENDING, Occasions
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import step
from sayiir_sqlite import SQLiteBackend
from sayiir_sqlite.connection import Settings, Synchronous
from sayiir_sqlite.database import Database
from sayiir_sqlite.watch import FileWatch

Start = Callable[..., subprocess.Popen[str]]

QUIET = timedelta(seconds=0.5)
"""Twice the longest time between two looks."""


@pytest.fixture
def other(path: Path) -> Iterator[SQLiteBackend]:
    """Return a backend on the same file that has done nothing yet."""
    with closing(SQLiteBackend(path, clock=VirtualClock(), synchronous="NORMAL")) as backend:
        yield backend


def listen(backend: SQLiteBackend) -> Listener:
    """Return a new listener."""
    return Listener(backend.wakeup, HintKind.CLAIMABLE, quiet=QUIET)


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another thread or process does."""
    deadline = time.monotonic() + PATIENCE.total_seconds()
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.005)


def watchers() -> set[threading.Thread]:
    """Return the threads that look for what others write."""
    return {it for it in threading.enumerate() if it.name == "sayiir-sqlite-watch"}


def send(backend: SQLiteBackend, name: str = "go") -> None:
    """Write something that deserves no hint."""
    backend.signals.send(InstanceId("nobody"), name, b"")


def write_into(file: Path) -> None:
    """Write something into a database, which is made if need be."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS written (at)")
        connection.execute("INSERT INTO written VALUES (1)")


def test_a_hint_comes_before_the_call_returns_and_may_use_the_store(rig: Rig) -> None:
    """Call the listener after the transaction, holding no lock."""
    written: list[tuple[threading.Thread, int]] = []

    def write() -> None:
        seq = rig.backend.signals.send(InstanceId("nobody"), "go", b"")
        written.append((threading.current_thread(), seq))

    subscription = rig.backend.wakeup.subscribe(HintKind.CLAIMABLE, write)
    rig.create(rig.new())
    threads = [thread for thread, _ in written]
    subscription.close()

    assert 1 == threads.count(threading.current_thread())


def test_what_this_process_writes_is_told_by_its_kind(rig: Rig) -> None:
    """Call at once who waits for work, who waits for an end, or both; a look tells everybody."""
    heard: list[HintKind] = []
    here = threading.current_thread()

    def subscribe(kind: HintKind) -> None:
        def hear() -> None:
            if threading.current_thread() is here:
                heard.append(kind)

        rig.backend.wakeup.subscribe(kind, hear)

    occasions = Occasions(rig)
    calls = [it(occasions) for it in (*CLAIMABLE, *ENDING)]
    both = occasions.commits_of_a_release_and_an_end()
    for kind in HintKind:
        subscribe(kind)
    told: list[list[HintKind]] = []
    for call in (*calls, both):
        heard.clear()
        call()
        told.append([*heard])

    expected = [[HintKind.CLAIMABLE]] * len(CLAIMABLE) + [[HintKind.ENDED]] * len(ENDING)
    assert [*expected, [*HintKind]] == [sorted(it) for it in told]


def test_a_write_that_is_undone_gives_no_hint(rig: Rig) -> None:
    """Tell only what is stored."""
    heard: list[threading.Thread] = []
    other = rig.new()
    other.identity = rig.definition.identity._replace(structure_hash="unknown")
    subscription = rig.backend.wakeup.subscribe(
        HintKind.CLAIMABLE, lambda: heard.append(threading.current_thread())
    )

    with pytest.raises(BackendError, match="not stored"):
        rig.backend.instances.create([rig.new(), other])
    send(rig.backend)
    subscription.close()

    assert threading.current_thread() not in heard


def test_a_write_of_another_process_is_heard(rig: Rig, path: Path, start: Start) -> None:
    """See it in the file."""
    child = start("send_when_told", path)
    assert child.stdout is not None
    assert child.stdin is not None
    assert "ready\n" == child.stdout.readline()

    with listen(rig.backend) as listener:
        listener.settle()
        before = listener.count
        child.stdin.write("go\n")
        child.stdin.flush()

        assert listener.reaches(before + 1)


def test_looking_slows_down_while_nothing_happens(rig: Rig) -> None:
    """Wait longer and longer, up to a quarter of a second, and start anew with a write."""
    rig.backend.wakeup.look(0)
    pauses = [0.02]
    for _ in range(40):
        pauses.append(rig.backend.wakeup.look(pauses[-1]))

    send(rig.backend)
    after_a_write = rig.backend.wakeup.look(pauses[-1])

    assert sorted(pauses) == pauses
    assert (0.25, 0.02) == (pauses[-1], after_a_write)
    assert 1 < sum(it for it in pauses if it < 0.25) < 4


def test_looking_for_work_is_no_write(rig: Rig) -> None:
    """Let idle workers not wake each other for ever."""
    session = rig.session()
    rig.backend.wakeup.look(0)

    for _ in range(3):
        rig.claim(session)
        rig.backend.claims.next_due([rig.lane()])
        rig.backend.sessions.reconcile(session, [])
        rig.backend.sessions.reap(session)
        rig.backend.claims.release_claim(session, 1)

    assert not rig.backend._database.look()


def test_subscribing_makes_no_file(path: Path) -> None:
    """Say that there is nothing to watch, and hint when there is."""
    backend = SQLiteBackend(path, clock=VirtualClock())
    with listen(backend) as listener:
        until(lambda: listener.subscription.trouble is not None)
        trouble = listener.subscription.trouble
        made = list(path.parent.iterdir())
        backend.open()
        until(lambda: listener.subscription.trouble is None)

        assert listener.reaches(1)

    assert trouble is not None
    assert str(path) in trouble
    assert [] == made
    backend.close()


def test_a_closed_backend_opens_nothing_and_hears_again_when_it_is_used(
    rig: Rig, other: SQLiteBackend
) -> None:
    """Say so meanwhile, and hint when it is over."""
    with listen(rig.backend) as listener:
        listener.settle()
        rig.backend.close()
        until(lambda: listener.subscription.trouble is not None)
        time_closed = listener.count
        send(other)
        while_closed = rig.backend._database._watch._handle
        rig.backend.signals.pending(InstanceId("any"))
        until(lambda: listener.subscription.trouble is None)

        assert listener.reaches(time_closed + 1)
        listener.settle()
        known = listener.count
        send(other)
        assert listener.reaches(known + 1)

    assert while_closed is None


def test_a_file_that_is_replaced_is_watched_anew(rig: Rig, path: Path, tmp_path: Path) -> None:
    """Name a file that is gone, and hint when there is one again."""
    with listen(rig.backend) as listener:
        listener.settle()
        path.rename(tmp_path / "elsewhere.db")
        until(lambda: listener.subscription.trouble is not None)
        trouble = listener.subscription.trouble
        known = listener.count
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink()
        rig.backend._database.close()
        rig.backend.open()

        until(lambda: listener.subscription.trouble is None)
        assert listener.reaches(known + 1)
        assert listener.hears(lambda: send(rig.backend))

    assert trouble is not None
    assert str(path) in trouble


def test_a_file_that_another_one_takes_the_place_of_is_noticed(tmp_path: Path) -> None:
    """Take the change of the file itself for a write, and watch the new one."""
    path, copy = tmp_path / "one", tmp_path / "two"
    for file in (path, copy):
        write_into(file)
    settings = Settings(
        path=str(path), synchronous=Synchronous.NORMAL, busy_timeout=timedelta(seconds=1)
    )
    watch = FileWatch(settings)
    seen = [watch.look(), watch.look()]

    copy.rename(path)
    seen += [watch.look(), watch.look()]
    write_into(path)
    seen += [watch.look(), watch.look()]
    watch.close()

    assert [True, False, True, False, True, False] == seen


def test_a_look_that_fails_keeps_no_file_open(tmp_path: Path) -> None:
    """Not until the garbage collector comes: the error's frames held the connection."""
    file = tmp_path / "no.db"
    file.write_bytes(b"this is no database, and longer than a header of one is " * 20)
    settings = Settings(
        path=str(file), synchronous=Synchronous.NORMAL, busy_timeout=timedelta(seconds=1)
    )
    database = Database(settings)
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(BackendError, match="SQLITE_NOTADB"):
            database.look()
        left = [it for it in Path("/proc/self/fd").iterdir() if it.exists() and it.samefile(file)]
    finally:
        gc.enable()

    assert [] == left


def test_the_thread_ends_with_the_last_subscription(rig: Rig) -> None:
    """Keep one thread for all subscriptions of a backend, and no connection without it."""
    others = watchers()
    first, second = (
        rig.backend.wakeup.subscribe(HintKind.CLAIMABLE, lambda: None) for _ in range(2)
    )
    until(lambda: rig.backend._database._watch._handle is not None)
    (watcher,) = watchers() - others
    first.close()
    with_one = watcher.is_alive()
    second.close()
    second.close()

    watcher.join(PATIENCE.total_seconds())
    assert (True, False) == (with_one, watcher.is_alive())
    assert rig.backend._database._watch._handle is None


def test_a_thread_that_ended_starts_with_the_next_subscription(
    rig: Rig, other: SQLiteBackend
) -> None:
    """Hear of others as the first one did."""
    rig.backend.wakeup.subscribe(HintKind.CLAIMABLE, lambda: None).close()

    with listen(rig.backend) as listener:
        assert listener.hears(lambda: send(other))


def test_a_backend_that_is_dropped_takes_its_thread_along(path: Path) -> None:
    """Hold no reference to it while waiting."""
    others = watchers()
    dropped = SQLiteBackend(path, clock=VirtualClock())
    dropped.open()
    dropped.wakeup.subscribe(HintKind.CLAIMABLE, lambda: None)
    (watcher,) = watchers() - others
    reference = weakref.ref(dropped._database)
    del dropped

    until(lambda: gc.collect() >= 0 and reference() is None)
    watcher.join(PATIENCE.total_seconds())
    assert not watcher.is_alive()


def test_a_process_ends_while_it_listens(path: Path, start: Start) -> None:
    """Wait for no thread, and say nothing."""
    child = start("listen_and_end", path)

    said, complaint = child.communicate(timeout=PATIENCE.total_seconds())

    assert (0, "", "listening\n") == (child.returncode, complaint, said)


def test_a_forked_child_hears_through_what_it_inherited(rig: Rig, other: SQLiteBackend) -> None:
    """Start to look again when a subscriber asks for trouble."""
    ready, tell = os.pipe()

    def send_when_ready() -> None:
        os.read(ready, 1)
        send(other)

    sender = threading.Thread(target=send_when_ready)
    with listen(rig.backend) as listener:
        listener.settle()
        sender.start()

        def hear() -> None:
            listener.settle()
            known = listener.count
            os.write(tell, b"!")
            assert listener.reaches(known + 1)
            listener.subscription.close()

        in_forked_child(hear)

        sender.join()
        listener.settle()
        assert listener.hears(lambda: send(other))
    for end in (ready, tell):
        os.close(end)


def test_forking_while_it_looks_harms_nobody(rig: Rig, other: SQLiteBackend) -> None:
    """Let the children work, and the parent hear on."""
    hand = rig.start()
    with listen(rig.backend) as listener:
        for node in range(5):
            hand.must(*step(node))
            in_forked_child(lambda: rig.load(hand.instance_id) and None)

        assert listener.hears(lambda: send(other))
