"""SEMANTICS 44 to 46 and 49 to 53: what workers take, in which order, and how they end."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta

import pytest

from sayiir import Flow, Operations, WorkflowClient, run_durable_workflow, send_signal, task

LATE = 20.0
AT_ONCE = timedelta(seconds=1)
PRIORITIES = (5, 3, 1, 4, 2)


def idt(value):
    return value


def inc(value):
    return value + 1


def worker_here():
    """Return the id of the worker that runs this body."""
    return threading.current_thread().name.removeprefix("sayiir-").partition("-task-")[0]


def aged(store, interval):
    """Open the store with another aging interval; close it with the store."""
    kind, clock = type(store.backend), store.clock
    options = {"clock": clock, "aging_interval": interval}
    match store.kind:
        case "memory":
            backend = kind(**options)
        case "sqlite":
            backend = kind(store.backend.path, **options)
        case _:
            backend = kind(store.address, **options)
    store.opened.append(backend)
    return backend


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


# 45.


def queued_by_priority(client, iid, order, priorities):
    """Submit one instance of a task of each priority; return the workflows."""
    workflows = []
    for priority in priorities:

        def note(value):
            order.append(value)

        flow = Flow(f"priority-{priority}").then(task("note", priority=priority)(note))
        workflows.append(flow.build())
        client.submit(workflows[-1], f"{iid}-{priority}", priority)
    return workflows


def test_case_45_what_is_queued_together_runs_by_priority(
    timed_store, iid, start_worker, eventually
):
    """5, 3, 1, 4, 2 run as 1 to 5, one after the other."""
    backend, order = timed_store.backend, []
    workflows = queued_by_priority(WorkflowClient(backend), iid, order, PRIORITIES)

    start_worker(backend, *workflows, concurrency=1)

    eventually(lambda: len(order) == len(PRIORITIES))
    assert sorted(PRIORITIES) == order


def test_case_45_each_step_stands_in_the_queue_by_its_own_priority(
    timed_store, iid, start_worker, eventually
):
    """A worker does not go on with a flow whose next step comes after what others wait with."""
    order = []

    def note(name, priority):
        return task(name, priority=priority)(lambda: order.append(name))

    two = Flow("two").then(note("a1", 1)).then(note("a2", 5)).build()
    one = Flow("one").then(note("b", 3)).build()
    client = WorkflowClient(timed_store.backend)
    for workflow in (two, one):
        client.submit(workflow, f"{iid}-{workflow.workflow_id}", 1)

    start_worker(timed_store.backend, two, one, concurrency=1)

    eventually(lambda: len(order) == 3)
    assert ["a1", "b", "a2"] == order


@pytest.mark.parametrize(
    ("waited", "expected"), [(239, [1, 5]), (241, [5, 1])], ids=["before", "after"]
)
def test_case_45_waiting_counts_as_priority(
    timed_store, iid, start_worker, eventually, waited, expected
):
    """Four priorities are worth four aging intervals, here of a minute."""
    backend, order = aged(timed_store, timedelta(seconds=60)), []
    client = WorkflowClient(backend)

    late = queued_by_priority(client, iid, order, [5])
    timed_store.clock.advance(timedelta(seconds=waited))
    urgent = queued_by_priority(client, iid, order, [1])
    start_worker(backend, *late, *urgent, concurrency=1)

    eventually(lambda: len(order) == 2)
    assert expected == order


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


# 50.


class Idle:
    """A worker that has nothing to do and polls every 6 s, a new one for each measurement."""

    def __init__(self, store, start_worker, eventually, workflow):
        self.client = WorkflowClient(store.again())
        self._backend, self._workflow = store.backend, workflow
        self._start_worker, self._eventually = start_worker, eventually

    def fastest(self, run, tries=3):
        """Return the shortest of some runs: a busy machine makes one of them slow, not all."""
        return timedelta(seconds=min(self._measure(run, number) for number in range(tries)))

    def _measure(self, run, number):
        worker = self._start_worker(self._backend, self._workflow, poll_interval=6)
        self._eventually(lambda: worker.report().counts["claims"] and not worker.report().hints)
        try:
            return run(f"{number}")
        finally:
            worker.shutdown()
            assert worker.join(LATE)


@pytest.fixture
def make_idle(store, start_worker, eventually):
    return lambda workflow: Idle(store, start_worker, eventually, workflow)


def test_case_50_three_steps_take_less_than_a_second_although_it_polls_seldom(make_idle, iid):
    """An idle worker with a poll interval of 6 s is woken by what was submitted elsewhere."""
    workflow = Flow("f").then(inc).then(inc, name="b").then(inc, name="c").build()
    idle = make_idle(workflow)

    def run(name):
        started = time.monotonic()
        assert 3 == idle.client.submit(workflow, f"{iid}-{name}", 0).result(LATE)
        return time.monotonic() - started

    assert idle.fastest(run) < AT_ONCE


def test_case_50_a_signal_from_elsewhere_wakes_an_idle_worker(make_idle, store, iid):
    """So does whatever makes a parked instance go on."""
    workflow = Flow("f").wait_for_signal("go").then(inc).build()
    idle = make_idle(workflow)
    for number in range(3):
        run_durable_workflow(workflow, f"{iid}-{number}", 0, store.backend)

    def run(name):
        started = time.monotonic()
        idle.client.send_signal(f"{iid}-{name}", "go", 41)
        assert 42 == idle.client.handle(f"{iid}-{name}").result(LATE)
        return time.monotonic() - started

    assert idle.fastest(run) < AT_ONCE


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


# 53.


def test_case_53_delays_and_deadlines_are_fired_by_workers(
    timed_store, iid, start_worker, eventually
):
    """Nobody calls anything: the time comes, and the worker goes on."""
    backend, clock = timed_store.backend, timed_store.clock
    nap = Flow("nap").then(inc).delay("nap", "1h").then(inc, name="after").build()
    lenient = Flow("lenient").wait_for_signal("go", timeout="2h", on_timeout="none").build()
    strict = Flow("strict").wait_for_signal("go", timeout="3h").then(inc).build()
    client = WorkflowClient(backend)
    start_worker(backend, nap, lenient, strict)
    handles = [
        client.submit(flow, f"{iid}-{flow.workflow_id}", 1) for flow in (nap, lenient, strict)
    ]
    parked = [("waiting", None), ("awaiting_signal", None), ("awaiting_signal", None)]

    seen = []
    for _ in range(4):
        # Everything that is due by now has been done before the clock moves on.
        eventually(lambda: not any(handle.status().is_in_progress() for handle in handles))
        seen.append([(handle.status().status, handle.status().output) for handle in handles])
        clock.advance(timedelta(hours=1))

    woken, expired = ("completed", 3), ("completed", "none")
    assert [
        parked,
        [woken, *parked[1:]],
        [woken, expired, parked[2]],
        [woken, expired, ("failed", None)],
    ] == seen
    assert handles[2].status().error.startswith("SignalTimeoutError")


def test_case_53_a_timer_is_not_slept_through(make_idle, iid):
    """A worker that polls every 6 s looks ahead and is there when a delay ends."""
    workflow = Flow("f").delay("nap", 0.3).then(inc).build()
    idle = make_idle(workflow)

    def run(name):
        started = time.monotonic()
        assert 6 == idle.client.submit(workflow, f"{iid}-{name}", 5).result(LATE)
        return time.monotonic() - started

    # The idea that a busy machine has of a server's clock may be off by some milliseconds.
    assert timedelta(seconds=0.2) <= idle.fastest(run) < AT_ONCE


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
