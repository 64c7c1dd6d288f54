"""SEMANTICS 45, 50 and 53: in which order work is taken, and how soon an idle worker finds it."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from sayiir import Flow, WorkflowClient, run_durable_workflow, task

LATE = 20.0
AT_ONCE = timedelta(seconds=1)
PRIORITIES = (5, 3, 1, 4, 2)


def inc(value):
    return value + 1


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
