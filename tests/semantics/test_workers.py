"""SEMANTICS 44, 46, 49, 51 and 52: what workers take, how much at once, and how they end."""

from __future__ import annotations

import asyncio
import threading

import pytest

from sayiir import Flow, Operations, WorkflowClient, send_signal, task

LATE = 20.0


def idt(value):
    return value


def inc(value):
    return value + 1


def worker_here():
    """Return the id of the worker that runs this body."""
    return threading.current_thread().name.removeprefix("sayiir-").partition("-task-")[0]


# 44.


def test_case_44_a_worker_completes_what_was_submitted(store, iid, start_worker):
    """Before it starts nothing is called; it may have been submitted by another process."""
    calls = []
    workflow = Flow("f").then(calls.append).then(lambda: "done", name="end").build()
    client = WorkflowClient(store.backend)

    handle = client.submit(workflow, iid, 5)
    before = (list(calls), client.status(iid).status)
    start_worker(store.again(), workflow)

    assert ([], "in_progress") == before
    assert ("done", [5]) == (handle.result(LATE), calls)


def test_case_44_many_workers_share_many_instances_and_run_each_step_once(store, start_worker, iid):
    """Four workers and 60 instances: nothing is run twice, nothing is left."""
    calls = []

    def step(value):
        calls.append(value)
        return value

    workflow = Flow("f").then(step).then(step, name="again").build()
    for number in range(4):
        start_worker(store.again(), workflow, name=f"w{number}", concurrency=4)
    client = WorkflowClient(store.backend)

    handles = client.submit_many(workflow, [(f"{iid}-{n}", n) for n in range(60)])
    outputs = [handle.result(LATE) for handle in handles]

    assert list(range(60)) == outputs
    assert sorted([*range(60)] * 2) == sorted(calls)


# 46.


def tagged(name, *tags):
    """Return a task with tags that tells which worker runs it."""
    return task(name, tags=list(tags))(lambda: worker_here())  # noqa: PLW0108


def three_branches():
    return (
        Flow("f")
        .fork()
        .branch(tagged("cpu", "cpu"))
        .branch(tagged("gpu", "gpu"))
        .branch(tagged("any"))
        .join(idt)
        .build()
    )


def test_case_46_a_worker_skips_tasks_of_tags_that_it_has_not(store, iid, start_worker, eventually):
    """It takes those of its tags and those without; the rest waits for a worker that fits."""
    workflow, operations = three_branches(), Operations(store.backend)
    WorkflowClient(store.backend).submit(workflow, iid, 1)

    def result(name):
        return operations.get_task_result(iid, f"{name}/{name}")

    start_worker(store.backend, workflow, name="cpus", tags=["cpu"])
    eventually(lambda: result("cpu") and result("any"))
    waiting, why = result("gpu"), operations.explain(iid)
    start_worker(store.again(), workflow, name="both", tags=["cpu", "gpu"])

    assert None is waiting
    assert any("no live worker" in each.sentence for each in why), why
    eventually(lambda: operations.status(iid).is_completed())
    assert ("cpus", "both", "cpus") == (result("cpu"), result("gpu"), result("any"))


@pytest.mark.parametrize("tags", [["cpu", "gpu"], []], ids=["both", "none"])
def test_case_46_a_worker_with_both_tags_or_none_takes_all(store, iid, start_worker, tags):
    """A worker without tags is for everything."""
    workflow = three_branches()
    handle = WorkflowClient(store.backend).submit(workflow, iid, 1)

    start_worker(store.backend, workflow, name="all", tags=tags)

    assert {"cpu": "all", "gpu": "all", "any": "all"} == handle.result(LATE)


def test_case_46_a_task_with_two_tags_needs_a_worker_with_both(store, iid, start_worker):
    """And a flow goes from worker to worker as its tags ask."""
    workflow = (
        Flow("f")
        .then(tagged("a", "cpu"))
        .then(tagged("b", "gpu"))
        .then(tagged("c", "cpu", "gpu"))
        .then(tagged("d", "cpu"))
        .build()
    )
    start_worker(store.backend, workflow, name="cpus", tags=["cpu"])
    start_worker(store.again(), workflow, name="gpus", tags=["gpu"])
    start_worker(store.again(), workflow, name="both", tags=["gpu", "cpu", "more"])
    client = WorkflowClient(store.backend)

    client.submit(workflow, iid, 1).wait(LATE)
    where = [client.get_task_result(iid, name) for name in "abcd"]

    assert where[0] in {"cpus", "both"}
    assert where[1] in {"gpus", "both"}
    assert "both" == where[2]
    assert where[3] in {"cpus", "both"}


# 49.


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_case_49_shutdown_lets_the_running_task_end_and_starts_no_other(
    store, iid, start_worker, is_async
):
    """What runs is saved, the next task is not called, and another worker goes on at once."""
    entered, leave, calls = threading.Event(), threading.Event(), []

    def body(value):
        entered.set()
        assert leave.wait(LATE)
        return value + 1

    async def abody(value):
        return await asyncio.to_thread(body, value)

    first = abody if is_async else body
    workflow = Flow("f").then(first, name="body").then(lambda: calls.append(worker_here())).build()
    client = WorkflowClient(store.backend)
    worker = start_worker(store.backend, workflow, name="first")
    handle = client.submit(workflow, iid, 5)
    assert entered.wait(LATE)

    worker.shutdown()
    is_waiting = not worker.join(0.1)
    leave.set()

    assert is_waiting
    assert worker.join(LATE)
    assert (6, []) == (client.get_task_result(iid, "body"), calls)
    assert client.status(iid).is_in_progress()
    start_worker(store.again(), workflow, name="second")
    assert handle.wait(LATE).is_completed()
    assert ["second"] == calls


def test_case_49_what_had_not_started_is_free_for_others_at_once(store, iid, start_worker):
    """A worker full of slow tasks is stopped; the queue behind it does not wait for it."""
    entered, leave, calls = threading.Event(), threading.Event(), []

    def body(value):
        calls.append((value, worker_here()))
        if worker_here() == "first":
            entered.set()
            assert leave.wait(LATE)
        return value

    workflow = Flow("f").then(body).build()
    client = WorkflowClient(store.backend)
    worker = start_worker(store.backend, workflow, name="first", concurrency=1)
    handles = client.submit_many(workflow, [(f"{iid}-{n}", n) for n in range(6)])
    assert entered.wait(LATE)

    worker.shutdown()
    start_worker(store.again(), workflow, name="second")
    rest = [handle for handle in handles if handle.instance_id != f"{iid}-{calls[0][0]}"]
    outputs = [handle.result(LATE) for handle in rest]
    leave.set()

    assert worker.join(LATE)
    assert 5 == len(outputs)
    assert 6 == len([handle.result(LATE) for handle in handles])
    assert [0, 1, 2, 3, 4, 5] == sorted(value for value, _ in calls)
    assert 1 == [name for _, name in calls].count("first")


# 51.


def test_case_51_an_unknown_definition_delays_nobody_and_is_left_alone(
    store, iid, start_worker, eventually
):
    """More of them than a worker claims at once stand first in the queue."""
    unknown = Flow("unknown").then(task("u", priority=1)(idt)).build()
    known = Flow("known").then(task("k", priority=5)(inc)).build()
    client = WorkflowClient(store.backend)
    client.submit_many(unknown, [(f"{iid}-u{n}", n) for n in range(50)])
    worker = start_worker(store.backend, known, concurrency=2)

    assert 6 == client.submit(known, iid, 5).result(LATE)

    assert 1 == worker.report().counts["claimed"]
    assert client.status(f"{iid}-u0").is_in_progress()
    assert any("no live worker" in each.sentence for each in client.explain(f"{iid}-u0"))
    start_worker(store.again(), unknown)
    eventually(lambda: client.status(f"{iid}-u49").is_completed())


# 52.


class Gauge:
    """How many bodies run at once, and how many did at most."""

    def __init__(self):
        self._lock = threading.Lock()
        self.now = self.most = 0

    def __enter__(self):
        """Count one more."""
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_):
        with self._lock:
            self.now -= 1


@pytest.mark.parametrize("kinds", ["sync", "async", "both"])
def test_case_52_as_many_tasks_run_at_once_as_the_worker_may(store, iid, start_worker, kinds):
    """Four bodies wait for each other, and no fifth is among them."""
    barrier, gauge = threading.Barrier(4), Gauge()

    def body(value):
        with gauge:
            barrier.wait(LATE)

    async def abody(value):
        with gauge:
            await asyncio.to_thread(barrier.wait, LATE)

    flows = [Flow("plain").then(body).build(), Flow("coroutines").then(abody).build()]
    used = {"sync": flows[:1], "async": flows[1:], "both": flows}[kinds]
    client = WorkflowClient(store.backend)
    start_worker(store.backend, *used, concurrency=4)

    handles = [client.submit(used[n % len(used)], f"{iid}-{n}", n) for n in range(12)]

    assert all(handle.wait(LATE).is_completed() for handle in handles)
    assert 4 == gauge.most


# The table of states, while a worker is there.


def test_unpaused_and_retried_instances_go_on_without_a_further_call(
    store, iid, start_worker, eventually
):
    """Rows unpause and retry, when a worker serves the instance."""
    broken = [True]

    def fail(value):
        if broken[0]:
            raise ValueError("bad")
        return value

    workflow = Flow("f").wait_for_signal("go").then(fail).build()
    client = WorkflowClient(store.again())
    start_worker(store.backend, workflow)
    handle = client.submit(workflow, iid, 1)
    eventually(lambda: client.status(iid).is_awaiting_signal())

    client.pause(iid)
    send_signal(iid, "go", 8, store.again())
    while_paused = client.status(iid).status
    client.unpause(iid)
    failed = handle.wait(LATE)
    broken[0] = False
    client.retry(iid)

    assert ("paused", "failed") == (while_paused, failed.status)
    eventually(lambda: client.status(iid).is_completed())
    assert 8 == client.status(iid).output
