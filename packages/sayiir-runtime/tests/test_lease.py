"""The keeper of a session: heartbeats beside the body, ends with its backend."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sayiir_core.authoring import Flow
from sayiir_core.ports.ownership import Busy
from sayiir_pytest.clock import VirtualClock
from sayiir_runtime.api import run_durable_workflow
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.runner.checkpointing import CheckpointingRunner
from sayiir_runtime.runner.lease import SessionKeeper, keeper_of

TTL = timedelta(seconds=0.5)
HEARTBEAT = timedelta(seconds=0.05)


def until(condition: Callable[[], bool], what: str) -> None:
    """Poll a condition, at most ten seconds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, what
        threading.Event().wait(0.01)


def heartbeats() -> int:
    """Count the heartbeat threads of this process."""
    return sum(thread.name.startswith("sayiir-heartbeat") for thread in threading.enumerate())


def test_a_body_longer_than_the_lease_keeps_its_instance(tmp_path: Path) -> None:
    """Five leases long, a task runs once, and a steady reaper finds nothing dead."""
    from sayiir_sqlite import SQLiteBackend

    ours, theirs = (SQLiteBackend(tmp_path / "lease.db") for _ in range(2))
    keeper = SessionKeeper(ours, ttl=TTL, heartbeat=HEARTBEAT)
    reaper = SessionKeeper(theirs, ttl=TTL, heartbeat=None)
    calls: list[int] = []
    seen: list[Busy] = []

    def slow(value: int) -> int:
        calls.append(value)
        end = time.monotonic() + 5 * TTL.total_seconds()
        while time.monotonic() < end:
            theirs.sessions.renew(reaper.session())
            assert theirs.sessions.reap(reaper.session()) == []
            threading.Event().wait(0.1)
        answer = theirs.ownership.own(reaper.session(), "slow")
        assert isinstance(answer, Busy)
        seen.append(answer)
        return value

    workflow = Flow[int, int]("slow").then(slow).build()

    status = CheckpointingRunner(ours, keeper=keeper).run(workflow, "slow", 1)

    assert status.is_completed()
    assert calls == [1]
    assert [keeper.session()] == [busy.holder.session_id for busy in seen]
    for each in (keeper, reaper):
        each.close()
    for backend in (ours, theirs):
        backend.close()


def test_closing_a_backend_ends_its_heartbeat_and_a_later_run_starts_a_new_session(
    tmp_path: Path,
) -> None:
    """The thread does not connect again to ask for a session that the close has ended."""
    from sayiir_sqlite import SQLiteBackend

    before = heartbeats()
    backend = SQLiteBackend(tmp_path / "close.db")
    keeper = SessionKeeper(backend, ttl=TTL, heartbeat=HEARTBEAT)
    runner = CheckpointingRunner(backend, keeper=keeper)
    workflow = Flow[int, int]("one").then(lambda value: value + 1).build()
    first = runner.run(workflow, "a", 1)
    session = keeper.session()
    assert heartbeats() == before + 1

    backend.close()
    until(lambda: heartbeats() == before, "the heartbeat goes on after the close")
    second = runner.run(workflow, "b", 1)

    assert [2, 2] == [first.output, second.output]
    assert keeper.session() != session
    keeper.close()
    backend.close()


def test_a_store_of_this_process_alone_needs_no_heartbeat() -> None:
    """A memory backend starts no heartbeat, however many runs it has."""
    before = heartbeats()
    backend = InMemoryBackend()
    workflow = Flow[int, int]("one").then(lambda value: value + 1).build()

    CheckpointingRunner(backend).run(workflow, "a", 1)

    assert heartbeats() == before
    assert keeper_of(backend).session() == keeper_of(backend).session()


def test_calls_without_a_backend_share_one_thread() -> None:
    """Two hundred short runs over stores of their own leave at most one thread behind."""
    before = threading.active_count()
    workflow = Flow[int, int]("one").then(lambda value: value + 1).build()

    for number in range(200):
        run_durable_workflow(workflow, f"run-{number}", number)

    assert threading.active_count() <= before + 1


def test_a_lease_that_runs_out_is_looked_at_just_then_not_at_the_next_heartbeat(
    tmp_path: Path,
) -> None:
    """Leases of 30 s and a heartbeat every 13 s: what died after a beat is not left for 13 more."""
    from sayiir_sqlite import SQLiteBackend

    clock, ttl = VirtualClock(), timedelta(seconds=30)
    backend = SQLiteBackend(tmp_path / "dead.db", clock=clock)
    keeper, other = (SessionKeeper(backend, ttl=ttl, heartbeat=None) for _ in range(2))
    session, dying = keeper.session(), other.session()
    renewed = silent_from = clock.now() + timedelta(seconds=100)

    class Stop(threading.Event):
        """Waiting moves the clock; the other session renews for a while; its end stops it."""

        def wait(self, timeout: float | None = None) -> bool:
            nonlocal renewed
            assert timeout is not None
            if dying not in [view.session_id for view in backend.sessions.live()]:
                return True
            clock.advance(timeout)
            if clock.now() < silent_from:
                backend.sessions.renew(dying)
                renewed = clock.now()
            assert clock.now() < silent_from + 3 * ttl
            return False

    keeper._keep(session, timedelta(seconds=13), Stop())

    assert ttl < clock.now() - renewed < ttl + timedelta(seconds=0.1)
    keeper.close()
    backend.close()
