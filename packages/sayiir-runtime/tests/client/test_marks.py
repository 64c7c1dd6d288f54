"""A run that was created here is not looked at before an end is hinted at, and no end is missed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sayiir_core.authoring import Flow, Workflow
from sayiir_runtime.api import resume_workflow
from sayiir_runtime.client import WorkflowClient, pace, watcher

PATIENCE = 20.0


def incrementing() -> Workflow[int, int]:
    """Return a workflow of one task."""
    return Flow[int, int]("incrementing").then(lambda value: value + 1, name="inc").build()


def watchers() -> list[threading.Thread]:
    """Return the threads that watch."""
    return [each for each in threading.enumerate() if each.name == "sayiir-watcher"]


def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


@pytest.fixture(autouse=True)
def no_watcher_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin without a watcher, and end when it has ended."""
    monkeypatch.setattr(watcher, "LINGER_SECONDS", 0.05)
    until(lambda: not watchers())
    yield
    until(lambda: not watchers())


def _one_is_parked(
    client: WorkflowClient, store: Any, in_thread: Any, name: str = "parked"
) -> Callable[[], None]:
    """Keep a watcher busy with a run that waits for a signal; return how to end that."""
    workflow = Flow[int, int]("parked").wait_for_signal("go").build()
    handle = client.submit(workflow, name, 1)
    resume_workflow(workflow, name, store)
    looks = store.calls["instances.headers"]
    waiting = in_thread(lambda: handle.result(PATIENCE))
    until(lambda: store.calls["instances.headers"] > looks)

    def end() -> None:
        client.send_signal(name, "go", 7)
        resume_workflow(workflow, name, store)
        assert 7 == waiting.result()

    return end


def test_a_run_that_was_created_here_is_looked_at_when_an_end_is_hinted_at(
    disturbed: Any, in_thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once in all: not when it is awaited, as no end was hinted at since its creation."""
    monkeypatch.setattr(pace, "HEARING", 3600.0)
    client, workflow = WorkflowClient(disturbed), incrementing()
    end = _one_is_parked(client, disturbed, in_thread)
    looks = disturbed.calls["instances.headers"]

    handle = client.submit(workflow, "a", 1)
    waiting = in_thread(lambda: handle.result(PATIENCE))
    until(lambda: len(client.follower.watcher._awaited) == 2)
    resume_workflow(workflow, "a", disturbed)

    assert 2 == waiting.result()
    assert looks + 1 == disturbed.calls["instances.headers"]
    end()


def test_a_run_that_ended_before_it_was_awaited_is_looked_at_at_once(
    disturbed: Any, in_thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint at its end came, and no other one will; the next look is an hour away."""
    monkeypatch.setattr(pace, "HEARING", 3600.0)
    client, workflow = WorkflowClient(disturbed), incrementing()
    end = _one_is_parked(client, disturbed, in_thread)

    handle = client.submit(workflow, "a", 1)
    looks = disturbed.calls["instances.headers"]
    resume_workflow(workflow, "a", disturbed)
    until(lambda: disturbed.calls["instances.headers"] > looks)

    assert 2 == handle.result(PATIENCE)
    end()


def test_a_mark_is_for_one_subscription(disturbed: Any, in_thread: Any) -> None:
    """Whoever listened since may have missed the end: its number of hints says nothing."""
    client = WorkflowClient(disturbed)
    end = _one_is_parked(client, disturbed, in_thread)
    first = client.follower.watcher.mark()
    end()
    until(lambda: not watchers())
    between = client.follower.watcher.mark()
    end = _one_is_parked(client, disturbed, in_thread, "again")

    assert first is not None
    assert between is None
    assert client.follower.watcher.mark() not in (first, None)
    end()
