"""Decisions about workers: exits, shutdown under way, requests that meet them, runners beside them."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from sayiir import (
    Flow,
    InstanceBusyError,
    Operations,
    RetryPolicy,
    RunReplacedError,
    WorkflowClient,
    get_task_context,
    resume_workflow,
    run_durable_workflow,
    task,
)

LATE = 20.0


def idt(value):
    return value


def worker_here():
    """Return the id of the worker that runs this body, on a thread or on its loop."""
    name = threading.current_thread().name.removeprefix("sayiir-")
    return name.partition("-task-")[0].removesuffix("-loop")


# Exits.


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_decision_an_exit_fails_the_step_and_the_worker_goes_on(
    store, iid, start_worker, kind, is_async
):
    """One task must not end the work of all others; the next one runs in the same worker."""

    def body(value):
        raise kind("enough")

    async def abody(value):
        raise kind("enough")

    leaving = Flow("leaving").then(abody if is_async else body, name="leave").build()
    staying = Flow("staying").then(idt).build()
    client = WorkflowClient(store.backend)
    worker = start_worker(store.backend, leaving, staying, concurrency=1)

    failed = client.submit(leaving, iid, 1).wait(LATE)
    output = client.submit(staying, f"{iid}-next", 7).result(LATE)

    assert ("failed", f"{kind.__name__}: enough") == (failed.status, failed.error)
    assert (7, True) == (output, worker.is_alive)


def test_decision_an_exit_is_retried_like_any_failure(store, iid, start_worker):
    """The policy of the task decides."""
    calls = []

    @task(retries=RetryPolicy(2, 0.01))
    def body(value):
        calls.append(get_task_context().attempt)
        if len(calls) < 3:
            raise SystemExit(3)
        return value

    workflow = Flow("f").then(body).build()
    start_worker(store.backend, workflow)

    assert 7 == WorkflowClient(store.backend).submit(workflow, iid, 7).result(LATE)
    assert [1, 2, 3] == calls


# A shutdown that tasks exceed.


class Slow:
    """A task that the first worker cannot end in time and the second one ends at once."""

    def __init__(self, is_async):
        self.entered, self.leave = threading.Event(), threading.Event()
        self.seen, self.cancelled = [], []
        self.workflow = (
            Flow("slow").then(self.abody if is_async else self.body, name="slow").build()
        )

    def _enter(self):
        self.seen.append((worker_here(), get_task_context().attempt))
        self.entered.set()
        return len(self.seen) == 1

    def body(self, value):
        """Block a thread."""
        if self._enter():
            assert self.leave.wait(LATE)
            self.cancelled.append(get_task_context().cancelled)
            return "late"
        return value

    async def abody(self, value):
        """Wait on the loop."""
        if self._enter():
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.cancelled.append(get_task_context().cancelled)
                raise
        return value


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_decision_what_exceeds_the_grace_is_given_back_and_its_attempt_not_counted(
    store, iid, start_worker, eventually, is_async
):
    """A coroutine is cancelled, a thread abandoned; another worker makes the same attempt again."""
    slow = Slow(is_async)
    client = WorkflowClient(store.backend)
    first = start_worker(store.backend, slow.workflow, name="first")
    handle = client.submit(slow.workflow, iid, 7)
    assert slow.entered.wait(LATE)

    first.shutdown(grace=0.05)
    assert first.join(LATE)
    start_worker(store.again(), slow.workflow, name="second")
    output = handle.result(LATE)
    slow.leave.set()

    assert 7 == output
    assert [("first", 1), ("second", 1)] == slow.seen
    assert [True] == eventually(lambda: slow.cancelled)
    assert 1 == client.task(iid, "slow").attempts


def test_decision_attempts_and_back_off_survive_the_end_of_a_worker(
    timed_store, iid, start_worker, eventually
):
    """Another one goes on with the second attempt when the stored time has come."""
    seen = []

    @task(retries=RetryPolicy(2, 3600.0))
    def flaky(value):
        seen.append((worker_here(), get_task_context().attempt))
        if len(seen) == 1:
            raise ValueError("not yet")
        return value

    workflow = Flow("f").then(flaky).build()
    client = WorkflowClient(timed_store.backend)
    first = start_worker(timed_store.backend, workflow, name="first")
    handle = client.submit(workflow, iid, 7)
    eventually(lambda: first.report().counts["retried"])
    first.shutdown()
    assert first.join(LATE)

    second = start_worker(timed_store.again(), workflow, name="second")
    eventually(lambda: second.report().counts["claims"] > 2)
    early = list(seen)
    timed_store.clock.advance(3600)

    assert 7 == handle.result(LATE)
    assert [("first", 1)] == early
    assert [("first", 1), ("second", 2)] == seen


# Requests that meet a worker.


class Gate:
    """A workflow whose first task runs until the test lets it go."""

    def __init__(self, store, iid, start_worker, **options):
        self.entered, self.leave = threading.Event(), threading.Event()
        self.calls = []
        self.workflow = Flow("gate").then(self.body).then(self.after).build()
        self.client = WorkflowClient(store.again())
        self.worker = start_worker(store.backend, self.workflow, **options)
        self.handle = self.client.submit(self.workflow, iid, 7)
        assert self.entered.wait(LATE)

    def body(self, value):
        """Run until it may end, or is told that nobody waits."""
        self.calls.append(value)
        self.entered.set()
        context = get_task_context()
        while not self.leave.wait(0.01):
            if context.cancelled:
                return "told"
        return value

    def after(self, value):
        """Follow."""
        self.calls.append("after")
        return value


def test_decision_a_running_body_is_told_of_a_cancel(store, iid, start_worker):
    """Its context says so; what it returns is recorded, the next task is not called."""
    gate = Gate(store, iid, start_worker)

    gate.handle.cancel(reason="enough", cancelled_by="boss")
    meanwhile = gate.client.status(iid)
    status = gate.handle.wait(LATE)

    assert ("in_progress", "enough") == (meanwhile.status, meanwhile.reason)
    assert ("cancelled", "enough", "boss") == (status.status, status.reason, status.cancelled_by)
    assert "told" == gate.client.get_task_result(iid, "body")
    assert [7] == gate.calls


def test_decision_a_running_body_is_told_that_its_run_was_replaced(
    store, iid, start_worker, eventually
):
    """Its result is lost, the new run is another worker's or this one's, and not disturbed."""
    gate = Gate(store, iid, start_worker)

    new = gate.client.submit(gate.workflow, iid, 8, conflict_policy="terminate_existing")
    eventually(lambda: gate.calls.count(8))
    eventually(lambda: gate.worker.report().counts["refused"])
    gate.leave.set()

    with pytest.raises(RunReplacedError):
        gate.handle.result(LATE)
    assert 8 == new.result(LATE)
    assert [7, 8, "after"] == gate.calls


def test_decision_a_pause_holds_at_the_boundary_and_unpausing_goes_on_by_itself(
    store, iid, start_worker, eventually
):
    """The running task ends and is recorded; the next waits for the unpause, and for no call."""
    gate = Gate(store, iid, start_worker)

    gate.handle.pause(reason="why", paused_by="boss")
    meanwhile = gate.client.status(iid).status
    gate.leave.set()
    eventually(lambda: gate.client.status(iid).is_paused())
    held = list(gate.calls)
    gate.handle.unpause()

    assert ("in_progress", [7]) == (meanwhile, held)
    assert 7 == gate.handle.result(LATE)
    assert [7, "after"] == gate.calls


@pytest.mark.parametrize("request_", ["cancel", "pause"])
def test_decision_what_waits_for_a_busy_worker_is_stopped_at_once(
    store, iid, start_worker, request_
):
    """A queued instance is cancelled or held while the only worker runs something else."""
    gate = Gate(store, iid, start_worker, concurrency=1)
    queued = gate.client.submit(gate.workflow, f"{iid}-queued", "queued")

    getattr(queued, request_)()
    status = queued.status().status
    gate.leave.set()
    gate.handle.result(LATE)

    assert {"cancel": "cancelled", "pause": "paused"}[request_] == status
    assert [7, "after"] == gate.calls
    if request_ == "pause":
        queued.unpause()
        assert "queued" == queued.result(LATE)


@pytest.mark.parametrize("request_", ["cancel", "pause"])
def test_decision_a_back_off_is_stopped_at_once(store, iid, start_worker, eventually, request_):
    """Nobody waits for the next attempt of a worker's task."""
    calls = []

    @task(retries=RetryPolicy(9, 0.4, 1.0))
    def failing(value):
        calls.append(value)
        if len(calls) == 1:
            raise ValueError("again")
        return value

    workflow = Flow("f").then(failing).build()
    client = WorkflowClient(store.again())
    worker = start_worker(store.backend, workflow)
    handle = client.submit(workflow, iid, 7)
    eventually(lambda: worker.report().counts["retried"])

    getattr(handle, request_)()
    status = handle.status().status
    claims = worker.report().counts["claims"]
    eventually(lambda: worker.report().counts["claims"] > claims + 10)

    assert {"cancel": "cancelled", "pause": "paused"}[request_] == status
    assert [7] == calls
    if request_ == "pause":
        handle.unpause()
        assert 7 == handle.result(LATE)


# Runners beside workers.


def test_decision_a_runner_does_not_get_what_a_worker_runs(store, iid, start_worker):
    """The caller is told who has it, and the worker is not disturbed."""
    gate = Gate(store, iid, start_worker, name="holder")

    with pytest.raises(InstanceBusyError) as caught:
        resume_workflow(gate.workflow, iid, store.again())
    gate.leave.set()

    assert "holder" in str(caught.value)
    assert 7 == gate.handle.result(LATE)
    assert [7, "after"] == gate.calls


def test_decision_a_worker_leaves_alone_what_a_runner_runs(
    store, iid, start_worker, background, eventually
):
    """An owned instance is invisible to it until the call has ended; then it goes on."""
    entered, leave, calls = threading.Event(), threading.Event(), []

    def body(value):
        calls.append(worker_here())
        entered.set()
        assert leave.wait(LATE)
        return value

    workflow = (
        Flow("f").then(body).fork().branch(idt, name="a").branch(idt, name="b").join(idt)
        .wait_for_signal("go").then(worker_here, name="where").build()
    )  # fmt: skip
    run = background(lambda: run_durable_workflow(workflow, iid, 7, store.backend))
    assert entered.wait(LATE)
    worker = start_worker(store.again(), workflow, name="pool")
    eventually(lambda: worker.report().counts["claims"] > 2)
    leave.set()
    parked = run.result()
    claimed = worker.report().counts["claimed"]
    Operations(store.backend).send_signal(iid, "go", 1)
    eventually(lambda: Operations(store.backend).status(iid).is_completed())

    assert ("awaiting_signal", 0) == (parked.status, claimed)
    assert 1 == len(calls)
    assert "pool" == Operations(store.backend).status(iid).output


# Blocked loops.


def test_decision_a_blocked_loop_is_reported_with_the_names_of_its_tasks(
    store, iid, start_worker, eventually, caplog
):
    """A coroutine that computes keeps all others from turning; plain tasks go on."""
    entered, leave = threading.Event(), threading.Event()

    async def blocking(value):
        entered.set()
        assert leave.wait(LATE)
        return value

    blocked = Flow("blocked").then(blocking).build()
    plain = Flow("plain").then(idt).build()
    client = WorkflowClient(store.backend)
    start_worker(store.backend, blocked, plain)
    with caplog.at_level(logging.WARNING, "sayiir.worker"):
        handle = client.submit(blocked, iid, 7)
        assert entered.wait(LATE)
        output = client.submit(plain, f"{iid}-plain", 8).result(LATE)
        eventually(lambda: [text for text in caplog.messages if "has not turned" in text])
    leave.set()

    assert 8 == output
    assert any("blocking" in text for text in caplog.messages)
    assert 7 == handle.result(LATE)
