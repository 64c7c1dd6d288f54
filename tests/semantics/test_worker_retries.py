"""SEMANTICS 48: who runs the next attempt of a task that failed, and for how long that matters."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from sayiir import Flow, RetryPolicy, WorkflowClient, task

LATE = 20.0
LONG = 1.0
SKEW = 0.1
"""How far a busy machine's idea of the server's clock may be off, in seconds."""


def worker_here():
    """Return the id of the worker that runs this body."""
    return threading.current_thread().name.removeprefix("sayiir-").partition("-task-")[0]


class Failing:
    """A task that fails at first, and notes where and when it was called, by instance."""

    def __init__(self, failures=1, back_off=LONG, tags=()):
        self.calls = {}
        policy = RetryPolicy(failures, back_off, 1.0)

        @task("failing", retries=policy, tags=list(tags))
        def body(value):
            calls = self.calls.setdefault(value, [])
            calls.append((worker_here(), time.monotonic()))
            if len(calls) <= failures:
                raise ValueError("not yet")
            return value

        self.workflow = Flow("failing").then(body).build()

    def workers(self, value):
        """Return the workers of one instance's attempts, in their order."""
        return [worker for worker, _ in self.calls[value]]

    def gaps(self, value):
        """Return the seconds between the attempts of one instance."""
        moments = [moment for _, moment in self.calls[value]]
        return [after - before for before, after in itertools.pairwise(moments)]


def test_case_48_the_next_attempt_is_another_workers(store, iid, start_worker):
    """Of two idle workers the one that failed leaves it to the other, each time."""
    failing = Failing(failures=2, back_off=0.6)
    start_worker(store.backend, failing.workflow, name="a")
    start_worker(store.again(), failing.workflow, name="b")
    client = WorkflowClient(store.backend)

    handles = [client.submit(failing.workflow, f"{iid}-{n}", n) for n in range(8)]
    outputs = [handle.result(LATE) for handle in handles]

    assert list(range(8)) == outputs
    seen = {tuple(failing.workers(number)) for number in range(8)}
    assert seen <= {("a", "b", "a"), ("b", "a", "b")}


def test_case_48_a_worker_alone_retries_by_itself_when_it_is_due(store, iid, start_worker):
    """Nobody else could, so nothing is waited for beyond the back-off."""
    failing = Failing(back_off=LONG)
    start_worker(store.backend, failing.workflow, name="a")

    WorkflowClient(store.backend).submit(failing.workflow, iid, 1).result(LATE)

    assert ["a", "a"] == failing.workers(1)
    # Preferring others would add as much again.
    assert LONG - SKEW <= failing.gaps(1)[0] < 2 * LONG - SKEW


@pytest.mark.parametrize("serves", ["other tags", "another workflow"])
def test_case_48_a_worker_that_does_not_serve_the_task_is_not_waited_for(
    store, iid, start_worker, serves
):
    """It lives, but could not take it."""
    failing = Failing(back_off=LONG, tags=["cpu"])
    start_worker(store.backend, failing.workflow, name="a", tags=["cpu"])
    if serves == "other tags":
        start_worker(store.again(), failing.workflow, name="b", tags=["gpu"])
    else:
        start_worker(store.again(), Flow("other").then(worker_here).build(), name="b")

    WorkflowClient(store.backend).submit(failing.workflow, iid, 1).result(LATE)

    assert ["a", "a"] == failing.workers(1)
    assert LONG - SKEW <= failing.gaps(1)[0] < 2 * LONG - SKEW


def test_case_48_a_busy_worker_is_waited_for_only_so_long(store, iid, start_worker, eventually):
    """The other one has no slot free: after once more the back-off the first takes it itself."""
    failing, leave = Failing(back_off=LONG), threading.Event()
    blocker = Flow("blocker").then(task("block", tags=["b"])(lambda: leave.wait(LATE))).build()
    start_worker(store.backend, failing.workflow, name="a")
    busy = start_worker(store.again(), failing.workflow, blocker, name="b", concurrency=1)
    client = WorkflowClient(store.backend)
    client.submit(blocker, f"{iid}-blocker", 1)
    eventually(lambda: busy.report().running)

    client.submit(failing.workflow, iid, 1).result(LATE)
    leave.set()

    assert ["a", "a"] == failing.workers(1)
    assert 2 * LONG - SKEW <= failing.gaps(1)[0] < 3 * LONG


def test_case_48_a_worker_that_ends_is_not_waited_for(store, iid, start_worker, eventually):
    """When the only other session ends, the first goes on as soon as the attempt is due."""
    failing, leave = Failing(back_off=LONG), threading.Event()
    blocker = Flow("blocker").then(task("block", tags=["b"])(lambda: leave.wait(LATE))).build()
    start_worker(store.backend, failing.workflow, name="a")
    other = start_worker(store.again(), failing.workflow, blocker, name="b", concurrency=1)
    client = WorkflowClient(store.backend)
    client.submit(blocker, f"{iid}-blocker", 1)
    eventually(lambda: other.report().running)

    handle = client.submit(failing.workflow, iid, 1)
    eventually(lambda: failing.calls.get(1))
    other.abort()
    assert other.join(LATE)
    handle.result(LATE)
    leave.set()

    assert ["a", "a"] == failing.workers(1)
    assert LONG - SKEW <= failing.gaps(1)[0] < 2 * LONG - SKEW


def test_case_48_a_back_off_of_an_hour_is_not_preferred_for_long(
    timed_store, iid, start_worker, eventually
):
    """Two seconds after it is due anybody may take it, however long the back-off was."""
    failing, leave, clock = Failing(back_off=3600.0), threading.Event(), timed_store.clock
    blocker = Flow("blocker").then(task("block", tags=["b"])(lambda: leave.wait(LATE))).build()
    first = start_worker(timed_store.backend, failing.workflow, name="a")
    busy = start_worker(timed_store.again(), failing.workflow, blocker, name="b", concurrency=1)
    client = WorkflowClient(timed_store.backend)
    client.submit(blocker, f"{iid}-blocker", 1)
    eventually(lambda: busy.report().running)
    handle = client.submit(failing.workflow, iid, 1)
    eventually(lambda: first.report().counts["retried"])

    clock.advance(3600.0 + 1.9)
    claims = first.report().counts["claims"]
    eventually(lambda: first.report().counts["claims"] > claims + 3)
    early = len(failing.calls[1])
    clock.advance(0.2)
    output = handle.result(LATE)
    leave.set()

    assert (1, 1) == (early, output)
    assert ["a", "a"] == failing.workers(1)
