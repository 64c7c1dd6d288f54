"""A worker goes on after what should never happen: no thread of it ends in silence."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from sayiir_core.authoring import Flow
from sayiir_runtime.client import WorkflowClient
from sayiir_runtime.memory.wakeup import MemoryWakeup
from sayiir_runtime.worker import arrivals, claimer
from sayiir_runtime.worker.desk import Desk
from sayiir_runtime.worker.sticky import Stickiness

LATE = 20.0
Start = Callable[..., Any]


async def double(value: int) -> int:
    """Run on the loop."""
    return value * 2


def add_one(value: int) -> int:
    """Run on a thread."""
    return value + 1


@pytest.mark.parametrize("kind", ["-task-", "-loop"])
def test_a_thread_that_cannot_be_started_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, client: WorkflowClient, start: Start, kind: str
) -> None:
    plain, refused = threading.Thread.start, [0]

    def refuse_twice(thread: threading.Thread) -> None:
        if kind in thread.name and refused[0] < 2:
            refused[0] += 1
            raise RuntimeError("can't start new thread")
        plain(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse_twice)
    workflow: Any = Flow[int, int]("threads").then(double).then(add_one).build()
    start(workflow)

    assert client.submit(workflow, "threads", 1).result(LATE) == 3
    assert refused == [2]


def test_a_thread_that_cannot_be_started_to_read_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, client: WorkflowClient, start: Start
) -> None:
    """The coroutine waits for its input, and so does nobody for the thread that never was."""
    monkeypatch.setattr(arrivals, "MOST_ARRIVALS", 0)  # so that the join has to be read
    plain, refused = threading.Thread.start, [0]

    def refuse_twice(thread: threading.Thread) -> None:
        if "-input-" in thread.name and refused[0] < 2:
            refused[0] += 1
            raise RuntimeError("can't start new thread")
        plain(thread)

    async def join(got: dict[str, int]) -> int:
        return sum(got.values())

    monkeypatch.setattr(threading.Thread, "start", refuse_twice)
    workflow: Any = Flow[int, int]("read").fork().branch(add_one).branch(double).join(join).build()
    start(workflow)

    assert client.submit(workflow, "read", 1).result(LATE) == 4
    assert refused == [2]


def test_answers_that_cannot_be_taken_are_looked_up_in_the_store(
    monkeypatch: pytest.MonkeyPatch, client: WorkflowClient, start: Start
) -> None:
    plain, failures = Desk.answered, [0]

    def fail_once(desk: Desk, batch: Any, answers: Any) -> None:
        if not failures[0]:
            failures[0] += 1
            raise ValueError("a defect (by the test)")
        plain(desk, batch, answers)

    monkeypatch.setattr(Desk, "answered", fail_once)
    workflow: Any = Flow[int, int]("answers").then(add_one).then(add_one, name="again").build()
    start(workflow)

    assert client.submit(workflow, "answers", 1).result(LATE) == 3
    assert failures == [1]


def test_a_batch_that_cannot_be_made_stops_no_later_one(
    monkeypatch: pytest.MonkeyPatch, client: WorkflowClient, start: Start
) -> None:
    plain, failures = Desk.batch, [0]

    def fail_once(desk: Desk) -> Any:
        if desk.can_commit() and not failures[0]:
            failures[0] += 1
            raise ValueError("a defect (by the test)")
        return plain(desk)

    monkeypatch.setattr(Desk, "batch", fail_once)
    workflow: Any = Flow[int, int]("batches").then(add_one).build()
    start(workflow)

    assert client.submit(workflow, "batches", 1).result(LATE) == 2
    assert failures == [1]


@pytest.mark.parametrize("decision", ["keeps", "take_branches"])
def test_a_decision_that_cannot_be_made_strands_nothing(
    monkeypatch: pytest.MonkeyPatch, client: WorkflowClient, start: Start, decision: str
) -> None:
    """Give back the one step, and commit those that ended beside it."""
    plain, failures = getattr(Stickiness, decision), [0]

    def fail_once(*arguments: Any) -> Any:
        if not failures[0]:
            failures[0] += 1
            raise ValueError("a defect (by the test)")
        return plain(*arguments)

    monkeypatch.setattr(Stickiness, decision, fail_once)
    workflow: Any = (
        Flow[int, int]("decisions")
        .then(double)
        .fork()
        .branch(add_one)
        .branch(double, name="twice")
        .join(lambda got: sum(got.values()))
        .build()
    )
    start(workflow)

    assert client.submit(workflow, "decisions", 1).result(LATE) == 7
    assert failures == [1]


def test_a_store_that_refuses_to_give_hints_is_polled_and_asked_again(
    monkeypatch: pytest.MonkeyPatch,
    client: WorkflowClient,
    start: Start,
    backend: Any,
    until: Callable[[Callable[[], Any]], Any],
) -> None:
    """Work meanwhile, and say in the report why no hints arrive."""
    monkeypatch.setattr(claimer, "_DEAF_SECONDS", 0.2)
    plain, refused = MemoryWakeup.subscribe, [True]

    def refuse(wakeup: MemoryWakeup, *subscribed: Any) -> Any:
        if refused[0] and "claim" in threading.current_thread().name:
            raise RuntimeError("can't start new thread")
        return plain(wakeup, *subscribed)

    monkeypatch.setattr(MemoryWakeup, "subscribe", refuse)
    workflow: Any = Flow[int, int]("deaf").then(add_one).build()
    handle = start(workflow)

    assert client.submit(workflow, "deaf", 1).result(LATE) == 2
    assert "can't start new thread" in (handle.report().hints or "")
    refused[0] = False
    until(lambda: handle.report().hints is None)
    assert handle.is_alive


def test_a_defect_while_giving_back_ends_the_session_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
    client: WorkflowClient,
    start: Start,
    backend: Any,
    until: Callable[[Callable[[], Any]], Any],
) -> None:
    workflow: Any = Flow[int, int]("ending").then(add_one).build()
    handle = start(workflow)
    assert client.submit(workflow, "ending", 1).result(LATE) == 2

    def fail(*_: object) -> None:
        raise RuntimeError("a defect (by the test)")

    monkeypatch.setattr(Desk, "abandon_running", fail)
    handle.shutdown()

    assert handle.join(LATE)
    until(lambda: not backend.sessions.live())
