"""Decisions about what runs: several cursors, failing, racing, replacing."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

import sayiir
from sayiir import (
    BackendError,
    Flow,
    InstanceAlreadyExistsError,
    LoopResult,
    Operations,
    RetryPolicy,
    WorkflowError,
    cancel_workflow,
    get_task_context,
    pause_workflow,
    send_signal,
    task,
    unpause_workflow,
)
from tests.semantics.driving import resume_workflow, retry_workflow, run_durable_workflow

HOUR = timedelta(hours=1)


def idt(value):
    return value


def inc(value):
    return value + 1


# Status of several cursors.


def three_branches():
    """Return a workflow that waits for two delays and for a signal at once."""
    return (
        Flow("f")
        .fork()
        .branch(Flow("a").delay("long", 2 * HOUR).build(), name="a")
        .branch(Flow("b").delay("short", HOUR).then(inc).build(), name="b")
        .branch(Flow("c").wait_for_signal("go", name="gate").build(), name="c")
        .join(idt)
        .build()
    )


def test_decision_a_signal_is_told_before_delays_and_wake_at_is_the_earliest(timed_store, iid):
    """Of several waits the status tells the signal, and when the first delay ends."""
    started = timed_store.clock.now()

    status = run_durable_workflow(three_branches(), iid, 1, timed_store.backend)

    assert ("awaiting_signal", "gate") == (status.status, status.signal_id)
    assert started + HOUR == status.wake_at


def test_decision_something_that_can_run_makes_it_in_progress(timed_store, iid):
    """A delay that is due, or a signal that was sent, can be gone on with."""
    backend, workflow = timed_store.backend, three_branches()
    operations = Operations(backend)
    run_durable_workflow(workflow, iid, 1, backend)

    timed_store.clock.advance(HOUR)
    due = operations.status(iid).status
    parked = resume_workflow(workflow, iid, backend).status
    send_signal(iid, "go", 1, backend)
    sent = operations.status(iid).status
    rest = resume_workflow(workflow, iid, backend)

    assert ("in_progress", "awaiting_signal", "in_progress") == (due, parked, sent)
    assert ("waiting", "long") == (rest.status, rest.delay_id)


# Failing, pausing and cancelling while something runs.


def test_decision_a_retry_revives_every_failed_branch_and_what_was_held(store, iid):
    """Two branches fail, one is in back-off, one waits: all go on after a retry."""
    backend = store.backend
    both = threading.Barrier(2)
    broken, resting = [True], []

    def fail(value):
        if broken[0]:
            both.wait(10)
            raise ValueError(f"bad {get_task_context().task_id}")
        return "mended"

    @task(retries=RetryPolicy(1, 0.05))
    def rest(value):
        resting.append(get_task_context().attempt)
        if broken[0]:
            raise OSError("later")
        return "rested"

    waiting = Flow("w").wait_for_signal("go").build()
    workflow = (
        Flow("f")
        .fork()
        .branch(fail, name="one")
        .branch(fail, name="two")
        .branch(rest, name="three")
        .branch(waiting, name="four")
        .join(idt)
        .build()
    )

    failed = run_durable_workflow(workflow, iid, 1, backend)
    broken[0] = False
    send_signal(iid, "go", "sent", backend)
    revived = retry_workflow(workflow, iid, backend)

    assert "failed" == failed.status
    assert failed.error.startswith(("ValueError: bad", "OSError"))
    expected = {"one": "mended", "two": "mended", "three": "rested", "four": "sent"}
    assert ("completed", expected) == (revived.status, revived.output)
    assert resting in ([1, 2], [1])


def test_decision_the_first_recorded_failure_is_the_instances(backend, iid, eventually):
    """A later failure of a sibling changes nothing of it."""
    operations = Operations(backend)

    def first(value):
        raise ValueError("first")

    def second(value):
        eventually(lambda: operations.status(iid).error)
        raise ValueError("second")

    workflow = Flow("f").fork().branch(first).branch(second).join(idt).build()

    status = run_durable_workflow(workflow, iid, 1, backend)

    assert ("ValueError: first", "fork_0/first/first") == (status.error, status.failed_task)
    assert "ValueError: second" == operations.task(iid, "second").error


def test_decision_a_body_that_fails_during_a_pause_fails_the_instance(store, iid, background):
    """Then there is nothing to unpause, and a retry goes on."""
    backend, elsewhere = store.backend, store.again()
    entered, leave, broken = threading.Event(), threading.Event(), [True]

    def body(value):
        entered.set()
        assert leave.wait(10)
        if broken[0]:
            raise ValueError("bad")
        return value

    workflow = Flow("f").then(body).build()
    run = background(lambda: run_durable_workflow(workflow, iid, 1, backend))
    assert entered.wait(10)
    pause_workflow(iid, elsewhere)
    leave.set()

    assert "failed" == run.result().status
    with pytest.raises(BackendError, match=r"failed"):
        unpause_workflow(iid, elsewhere)
    broken[0] = False
    assert 1 == retry_workflow(workflow, iid, elsewhere).output


def test_decision_a_pause_holds_branches_and_loops(store, iid, background):
    """Inside of a fork and of a loop the next boundary is where it stops."""
    backend, elsewhere = store.backend, store.again()
    both, leave, calls = threading.Barrier(3), threading.Event(), []

    def turn(value):
        calls.append("turn")
        both.wait(10)
        assert leave.wait(10)
        return LoopResult.done(value) if len(calls) > 2 else LoopResult.again(value)

    def step(value):
        calls.append("step")
        both.wait(10)
        assert leave.wait(10)
        return value

    def after(value):
        calls.append("after")
        return value

    loop = Flow("l").loop(turn).build()
    workflow = Flow("f").fork().branch(loop, name="l").branch(step, after).join(idt).build()
    run = background(lambda: run_durable_workflow(workflow, iid, 1, backend))
    both.wait(10)
    pause_workflow(iid, elsewhere)
    leave.set()

    paused = run.result()
    held = sorted(calls)
    both.reset()
    both = threading.Barrier(1)
    unpause_workflow(iid, elsewhere)
    status = resume_workflow(workflow, iid, elsewhere)

    assert ("paused", ["step", "turn"]) == (paused.status, held)
    assert {"l": 1, "step": 1} == status.output
    assert ["after", "step", "turn", "turn"] == sorted(calls)


# Racing runs.


@pytest.mark.parametrize("policy", ["fail", "use_existing"])
def test_decision_of_racing_runs_exactly_one_executes(store, iid, background, policy):
    """With ``fail`` the losers are told, with ``use_existing`` they get its status."""
    backends = [store.backend, *(store.again() for _ in range(3))]
    start, calls = threading.Barrier(len(backends)), []
    workflow = Flow("f").then(calls.append).then(lambda: "done", name="end").build()

    def run(number, backend):
        start.wait(10)
        return run_durable_workflow(workflow, iid, number, backend, policy)

    runs = [
        background(lambda n=number, b=backend: run(n, b)) for number, backend in enumerate(backends)
    ]
    ended = [outcome(each) for each in runs]

    assert 1 == len(calls)
    if policy == "fail":
        assert 1 == sum(status == "completed" for status in ended)
        assert 3 == ended.count(InstanceAlreadyExistsError)
    else:
        assert {"completed", "in_progress"} >= set(ended)
        assert "completed" == Operations(store.backend).status(iid).status


def outcome(call):
    try:
        return call.result().status
    except WorkflowError as error:
        return type(error)


def test_decision_of_racing_resumes_exactly_one_executes(store, iid, background):
    """Every body runs once, whoever wins."""
    backends = [store.backend, *(store.again() for _ in range(3))]
    start, calls = threading.Barrier(len(backends)), []
    workflow = (
        Flow("f")
        .wait_for_signal("go")
        .then(calls.append, name="a")
        .then(lambda: calls.append(2), name="b")
        .build()
    )
    run_durable_workflow(workflow, iid, 1, store.backend)
    send_signal(iid, "go", 1, store.backend)

    def resume(backend):
        start.wait(10)
        return resume_workflow(workflow, iid, backend)

    runs = [background(lambda b=backend: resume(b)) for backend in backends]
    ended = [outcome(each) for each in runs]

    assert [1, 2] == calls
    assert {"completed", sayiir.InstanceBusyError} >= set(ended)
    assert "completed" == Operations(store.backend).status(iid).status


# Replacing what runs.


class Endless:
    """A body that goes on until it is told that nobody waits for it."""

    def __init__(self):
        self.entered, self.told = threading.Event(), threading.Event()
        self.give_up = threading.Event()

    def __call__(self, _):
        """Poll the context, as a long body should."""
        self.entered.set()
        context = get_task_context()
        while not self.give_up.wait(0.01):
            if context.cancelled:
                self.told.set()
                return "lost"
        return "never told"


def in_line(body):
    return Flow("f").then(body, name="body").then(idt).build()


def in_branch(body):
    return Flow("f").fork().branch(body, name="body").join(idt).build()


@pytest.mark.parametrize("nest", [in_line, in_branch])
def test_decision_replacing_a_running_instance_loses_its_result_and_tells_the_body(
    store, iid, background, nest
):
    """The old call is told that it was replaced; the new run is not disturbed."""
    backend, elsewhere = store.backend, store.again()
    endless = Endless()
    old = nest(endless)
    run = background(lambda: run_durable_workflow(old, iid, "old", backend))
    assert endless.entered.wait(10)

    new = Flow("f").wait_for_signal("go").then(idt).build()
    status = run_durable_workflow(new, iid, "new", elsewhere, "terminate_existing")
    told = endless.told.wait(10)
    endless.give_up.set()
    with pytest.raises(WorkflowError, match=r"replaced|afresh"):
        run.result()

    assert "awaiting_signal" == status.status
    send_signal(iid, "go", "fine", elsewhere)
    assert "fine" == resume_workflow(new, iid, elsewhere).output
    assert told


@pytest.mark.parametrize("nest", [in_line, in_branch])
def test_decision_a_cancelled_instance_tells_its_running_body(store, iid, background, nest):
    """A long body may stop early; whatever it returns is recorded."""
    backend, elsewhere = store.backend, store.again()
    endless = Endless()
    run = background(lambda: run_durable_workflow(nest(endless), iid, 1, backend))
    assert endless.entered.wait(10)

    cancel_workflow(iid, elsewhere)
    told = endless.told.wait(10)
    endless.give_up.set()

    assert "cancelled" == run.result().status
    assert told
    assert "lost" == Operations(elsewhere).get_task_result(iid, "body")


def test_decision_a_replaced_run_never_takes_the_new_one_away(backend, iid, background):
    """The old call ends while the new one runs, in one process over one backend."""
    old_entered, old_leave = threading.Event(), threading.Event()
    new_entered, new_leave = threading.Event(), threading.Event()

    def old(value):
        old_entered.set()
        assert old_leave.wait(10)
        return value

    def new(value):
        new_entered.set()
        assert new_leave.wait(10)
        return value

    first = background(
        lambda: run_durable_workflow(Flow("f").then(old).then(idt).build(), iid, 1, backend)
    )
    assert old_entered.wait(10)
    second = background(
        lambda: run_durable_workflow(
            Flow("f").then(new).then(inc).build(), iid, 2, backend, "terminate_existing"
        )
    )
    assert new_entered.wait(10)
    old_leave.set()
    with pytest.raises(WorkflowError, match=r"replaced|afresh"):
        first.result()
    new_leave.set()

    assert ("completed", 3) == (second.result().status, second.result().output)
