"""The table "State × operation": every operation in every state that needs no pool.

Each test names its row; the states are made by ``REACH``, from one small workflow per state.
"""

from __future__ import annotations

import os
import platform
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from sayiir import (
    BackendError,
    Flow,
    InstanceAlreadyExistsError,
    InstanceBusyError,
    InstanceNotFoundError,
    InstanceStateError,
    Operations,
    RetryPolicy,
    WorkflowError,
    cancel_workflow,
    pause_workflow,
    resume_workflow,
    retry_workflow,
    run_durable_workflow,
    send_signal,
    task,
    unpause_workflow,
)


@dataclass
class Scene:
    """An instance in a state, the workflow that made it, and who was called."""

    backend: Any
    iid: str
    calls: list[str] = field(default_factory=list)
    broken: bool = True
    workflow: Any = None

    @property
    def operations(self):
        """Return the operations on the store."""
        return Operations(self.backend)

    @property
    def status(self):
        """Return the status now."""
        return self.operations.status(self.iid)

    def called(self, name):
        """Return a task that notes its name."""

        def body(value):
            self.calls.append(name)
            return value

        return body

    def interrupt(self, value):
        """Be interrupted for as long as it is broken."""
        self.calls.append("interrupted")
        if self.broken:
            raise KeyboardInterrupt
        return value

    def fail(self, value):
        """Fail for as long as it is broken."""
        self.calls.append("failing")
        if self.broken:
            raise ValueError("bad")
        return value

    def start(self, flow):
        """Run the flow with a last task behind it."""
        self.workflow = flow.then(self.called("last"), name="last").build()
        return run_durable_workflow(self.workflow, self.iid, 5, self.backend)

    def flow(self):
        """Return a flow with a first task."""
        return Flow("f").then(self.called("first"), name="first")

    def resume(self):
        """Resume the instance."""
        return resume_workflow(self.workflow, self.iid, self.backend)


def in_progress(scene):
    with pytest.raises(KeyboardInterrupt):
        scene.start(scene.flow().then(scene.interrupt, name="middle"))


def waiting(scene):
    scene.start(scene.flow().delay("nap", "1h"))


def awaiting_signal(scene):
    scene.start(scene.flow().wait_for_signal("go", name="gate"))


def paused(scene):
    awaiting_signal(scene)
    pause_workflow(scene.iid, scene.backend, "why", "me")


def completed(scene):
    scene.start(scene.flow())


def failed(scene):
    scene.start(scene.flow().then(scene.fail, name="middle"))


def cancelled(scene):
    awaiting_signal(scene)
    cancel_workflow(scene.iid, scene.backend, "enough", "me")


STATES = (in_progress, waiting, awaiting_signal, paused, completed, failed, cancelled)
LIVE = (in_progress, waiting, awaiting_signal)
FINAL = (completed, failed, cancelled)

state = pytest.mark.parametrize("reach", STATES, ids=lambda reach: reach.__name__)


def states(*chosen):
    return pytest.mark.parametrize("reach", chosen, ids=lambda reach: reach.__name__)


@pytest.fixture
def scene(backend, iid):
    return Scene(backend, iid)


def word(reach):
    return reach.__name__


@state
def test_status_tells_the_state(scene, reach):
    """Row status: live in every state."""
    reach(scene)

    assert word(reach) == scene.status.status


@state
def test_get_task_result_is_readable_in_every_state(scene, reach):
    """Row get_task_result: what is recorded is there, what is not is None."""
    reach(scene)

    done = reach is completed
    assert 5 == scene.operations.get_task_result(scene.iid, "first")
    assert (5 if done else None) == scene.operations.get_task_result(scene.iid, "last")


@state
def test_run_with_fail_is_refused_in_every_state(scene, reach):
    """Row run, fail: the id is taken, and nothing is called."""
    reach(scene)
    before = list(scene.calls)

    with pytest.raises(InstanceAlreadyExistsError, match=scene.iid):
        run_durable_workflow(scene.workflow, scene.iid, 9, scene.backend)
    with pytest.raises(InstanceAlreadyExistsError, match=word(reach)):
        run_durable_workflow(scene.workflow, scene.iid, 9, scene.backend, "fail")

    assert (before, word(reach)) == (scene.calls, scene.status.status)


@states(waiting, awaiting_signal, paused, completed, failed, cancelled)
def test_run_with_use_existing_gives_the_status(scene, reach):
    """Row run, use_existing: the status, for a completed one with its output; nothing is called."""
    reach(scene)
    before = list(scene.calls)

    status = run_durable_workflow(scene.workflow, scene.iid, 9, scene.backend, "use_existing")

    assert word(reach) == status.status
    assert (5 if reach is completed else None) == status.output
    assert before == scene.calls


def test_run_with_use_existing_continues_what_nobody_runs(scene):
    """Row run, use_existing: in progress without a live claim; the stored input wins."""
    in_progress(scene)
    scene.broken = False

    status = run_durable_workflow(scene.workflow, scene.iid, 9, scene.backend, "use_existing")

    assert ("completed", 5) == (status.status, status.output)
    assert ["first", "interrupted", "interrupted", "last"] == scene.calls


@pytest.mark.parametrize("policy", ["fail", "use_existing", "terminate_existing"])
def test_run_of_an_absent_instance_runs_under_every_policy(scene, policy):
    """Rows run: absent."""
    workflow = scene.flow().build()

    assert 7 == run_durable_workflow(workflow, scene.iid, 7, scene.backend, policy).output


@state
def test_run_with_terminate_existing_starts_afresh(scene, reach):
    """Row run, terminate_existing: a new run with the new input, in every state."""
    reach(scene)
    old = scene.status
    scene.broken = False
    scene.calls.clear()

    status = run_durable_workflow(scene.workflow, scene.iid, 9, scene.backend, "terminate_existing")

    assert "first" == scene.calls[0]
    assert old.run_id != status.run_id
    assert (status.reason, status.error) == (None, None)
    assert 9 == scene.operations.get_task_result(scene.iid, "first")


@state
def test_terminating_drops_old_signals_and_requests(scene, reach):
    """Row run, terminate_existing: what was sent to the old run does not reach the new one."""
    reach(scene)
    send_signal(scene.iid, "other", "old", scene.backend)
    workflow = Flow("g").wait_for_signal("other").build()

    status = run_durable_workflow(workflow, scene.iid, 9, scene.backend, "terminate_existing")

    assert "awaiting_signal" == status.status
    assert [] == scene.backend.signals.pending(scene.iid)


def another(scene):
    """Return a workflow with another definition than any of the states'."""
    return Flow("f").then(scene.called("another")).build()


def assert_names_both(error, scene, other):
    stored = scene.workflow.definition.identity
    assert str(stored) in str(error)
    assert str(other.definition.identity) in str(error)


@state
@pytest.mark.parametrize("policy", ["fail", "use_existing"])
def test_running_another_definition_is_refused_naming_both(scene, reach, policy):
    """Row another definition: run."""
    reach(scene)
    other = another(scene)

    with pytest.raises(WorkflowError) as caught:
        run_durable_workflow(other, scene.iid, 5, scene.backend, policy)

    assert_names_both(caught.value, scene, other)
    assert "another" not in scene.calls


@state
def test_resuming_another_definition_is_refused_naming_both(scene, reach):
    """Row another definition: resume."""
    reach(scene)
    other = another(scene)

    with pytest.raises(WorkflowError) as caught:
        resume_workflow(other, scene.iid, scene.backend)

    assert_names_both(caught.value, scene, other)


@state
def test_terminating_replaces_by_another_definition(scene, reach):
    """Row another definition: terminate."""
    reach(scene)
    other = another(scene)

    status = run_durable_workflow(other, scene.iid, 3, scene.backend, "terminate_existing")

    assert ("completed", 3) == (status.status, status.output)


@states(waiting, awaiting_signal, paused, completed, failed, cancelled)
def test_resume_gives_the_status_where_nothing_can_run(scene, reach):
    """Row resume: parked, paused and final instances; nothing is called."""
    reach(scene)
    before = list(scene.calls)

    status = scene.resume()

    assert word(reach) == status.status
    assert (5 if reach is completed else None) == status.output
    assert before == scene.calls


def test_resume_tells_why(scene):
    """Row resume: a cancelled one has reason and author, a paused one likewise."""
    paused(scene)
    while_paused = scene.resume()
    cancel_workflow(scene.iid, scene.backend, "enough", "boss")
    after = scene.resume()

    assert ("why", "me", None) == (
        while_paused.reason,
        while_paused.paused_by,
        while_paused.cancelled_by,
    )
    assert ("enough", "boss", None) == (after.reason, after.cancelled_by, after.paused_by)


def test_resume_continues_what_nobody_runs(scene):
    """Row resume: in progress."""
    in_progress(scene)
    scene.broken = False

    assert 5 == scene.resume().output
    assert ["first", "interrupted", "interrupted", "last"] == scene.calls


@states(waiting, awaiting_signal, paused, completed, cancelled, in_progress)
def test_retry_is_refused_unless_failed(scene, reach):
    """Row retry: a WorkflowError in every other state."""
    reach(scene)
    before = list(scene.calls)

    with pytest.raises(WorkflowError, match=scene.iid):
        retry_workflow(scene.workflow, scene.iid, scene.backend)

    assert (before, word(reach)) == (scene.calls, scene.status.status)


def test_retry_continues_from_the_failed_node(scene):
    """Row retry: failed; what was recorded is not called again."""
    failed(scene)
    scene.broken = False

    status = retry_workflow(scene.workflow, scene.iid, scene.backend)

    assert ("completed", 5, None) == (status.status, status.output, status.error)
    assert ["first", "failing", "failing", "last"] == scene.calls


@states(*LIVE, paused)
def test_cancel_takes_effect_at_once_on_what_does_not_run(scene, reach):
    """Row cancel: queued, waiting, awaiting and paused."""
    reach(scene)

    cancel_workflow(scene.iid, scene.backend, "enough", "boss")

    status = scene.status
    assert ("cancelled", "enough", "boss") == (
        status.status,
        status.reason,
        status.cancelled_by,
    )
    assert "last" not in scene.calls
    assert "cancelled" == scene.resume().status


@states(completed, failed)
def test_cancel_is_refused_when_it_is_over(scene, reach):
    """Row cancel: completed, failed."""
    reach(scene)

    with pytest.raises(BackendError, match=word(reach)):
        cancel_workflow(scene.iid, scene.backend)

    assert word(reach) == scene.status.status


def test_a_second_cancel_keeps_the_first_reason(scene):
    """Row cancel: cancelled is a no-op."""
    cancelled(scene)

    cancel_workflow(scene.iid, scene.backend, "another", "you")

    assert ("enough", "me") == (scene.status.reason, scene.status.cancelled_by)


@states(*LIVE)
def test_pause_takes_effect_at_once_on_what_does_not_run(scene, reach):
    """Row pause: queued, waiting, awaiting."""
    reach(scene)

    pause_workflow(scene.iid, scene.backend, "why", "boss")

    status = scene.status
    assert ("paused", "why", "boss") == (status.status, status.reason, status.paused_by)
    assert "paused" == scene.resume().status


def test_a_second_pause_changes_nothing(scene):
    """Row pause: paused is a no-op."""
    paused(scene)

    pause_workflow(scene.iid, scene.backend, "another", "you")

    assert ("paused", "why", "me") == (
        scene.status.status,
        scene.status.reason,
        scene.status.paused_by,
    )


@states(*FINAL)
def test_pause_is_refused_when_it_is_over(scene, reach):
    """Row pause: completed, failed, cancelled."""
    reach(scene)

    with pytest.raises(BackendError, match=word(reach)):
        pause_workflow(scene.iid, scene.backend)

    assert word(reach) == scene.status.status


@states(*LIVE, *FINAL)
def test_unpause_is_refused_unless_paused(scene, reach):
    """Row unpause: every other state, without a pending pause."""
    reach(scene)

    with pytest.raises(BackendError) as caught:
        unpause_workflow(scene.iid, scene.backend)

    assert isinstance(caught.value, InstanceStateError)
    assert word(reach) == scene.status.status


@states(*LIVE)
def test_unpause_gives_the_previous_state_back(scene, reach):
    """Row unpause: paused; the instance goes on as if it had not been."""
    reach(scene)
    pause_workflow(scene.iid, scene.backend)

    unpause_workflow(scene.iid, scene.backend)

    assert (word(reach), None, None) == (
        scene.status.status,
        scene.status.reason,
        scene.status.paused_by,
    )
    scene.broken = False
    assert ("completed" if reach is in_progress else word(reach)) == scene.resume().status


@states(in_progress, waiting, completed, failed, cancelled)
def test_a_signal_that_nothing_awaits_is_kept(scene, reach):
    """Row send_signal: buffered or stored, and the state is what it was."""
    reach(scene)

    send_signal(scene.iid, "go", 1, scene.backend)

    assert word(reach) == scene.status.status
    assert ["go"] == [signal.name for signal in scene.backend.signals.pending(scene.iid)]


def test_a_signal_to_an_absent_instance_is_kept(scene):
    """Row send_signal: absent; it creates no instance."""
    send_signal(scene.iid, "go", 1, scene.backend)

    assert ["go"] == [signal.name for signal in scene.backend.signals.pending(scene.iid)]
    with pytest.raises(InstanceNotFoundError):
        scene.status  # noqa: B018 - reading it is the operation


def test_a_signal_advances_what_awaits_it_at_once(scene):
    """Row send_signal: awaiting; no code runs, but the instance is in progress."""
    awaiting_signal(scene)

    send_signal(scene.iid, "go", 8, scene.backend)

    assert "in_progress" == scene.status.status
    assert ["first"] == scene.calls
    assert 8 == scene.resume().output


def test_a_signal_to_a_paused_instance_is_used_after_the_unpause(scene):
    """Row send_signal: paused."""
    paused(scene)

    send_signal(scene.iid, "go", 8, scene.backend)
    still = scene.resume().status
    unpause_workflow(scene.iid, scene.backend)

    assert "paused" == still
    assert 8 == scene.resume().output


class Running:
    """An instance whose middle task runs, in another process where the store can be shared."""

    def __init__(self, store, iid, background, *, last=True):
        self.iid = iid
        here, self.elsewhere = store.backend, store.again()
        self.operations = Operations(self.elsewhere)
        self.entered, self.leave = threading.Event(), threading.Event()
        self.calls = []
        flow = Flow("f").then(self.middle)
        self.workflow = (flow.then(self.calls.append, name="last") if last else flow).build()
        self.run = background(lambda: run_durable_workflow(self.workflow, iid, 5, here))
        assert self.entered.wait(10)

    def middle(self, value):
        """Tell that it runs, and go on when it may."""
        self.calls.append("middle")
        self.entered.set()
        assert self.leave.wait(20)
        return value + 1

    @property
    def status(self):
        """Return the status now."""
        return self.operations.status(self.iid)

    def end(self):
        """Let the body end, and return what the run returned."""
        self.leave.set()
        return self.run.result()


@pytest.fixture
def make_running(store, iid, background):
    made = []

    def make(**options):
        made.append(Running(store, iid, background, **options))
        return made[-1]

    yield make
    for running in made:
        running.leave.set()


def test_status_of_a_running_instance_is_in_progress(make_running):
    """Row status: a body runs."""
    running = make_running()

    assert "in_progress" == running.status.status
    assert "completed" == running.end().status


def test_resuming_what_another_runs_is_busy_naming_holder_host_and_age(make_running):
    """Row resume: the loser is told who has it."""
    running = make_running()

    with pytest.raises(InstanceBusyError) as caught:
        resume_workflow(running.workflow, running.iid, running.elsewhere)

    error = caught.value
    assert (platform.node(), running.iid) == (error.host, error.instance_id)
    assert str(os.getpid()) in error.holder
    assert 0 <= error.lease_age_seconds < 60
    assert all(part in str(error) for part in (error.holder, error.host, "s ago"))
    assert "completed" == running.end().status
    assert 1 == running.calls.count("middle")


def test_use_existing_of_what_another_runs_gives_its_status(make_running):
    """Row run, use_existing: claimed."""
    running = make_running()

    status = run_durable_workflow(
        running.workflow, running.iid, 9, running.elsewhere, "use_existing"
    )

    assert "in_progress" == status.status
    assert "completed" == running.end().status
    assert 1 == running.calls.count("middle")


def test_a_busy_instance_is_not_disturbed_by_who_asked(make_running):
    """Being refused must not take anything from the one that runs."""
    running = make_running()
    for _ in range(3):
        with pytest.raises(InstanceBusyError):
            resume_workflow(running.workflow, running.iid, running.elsewhere)

    assert "completed" == running.end().status


@pytest.mark.parametrize("last", [True, False], ids=["then another", "the last task"])
def test_cancelling_a_running_instance_ends_it_at_the_boundary(make_running, last):
    """Row cancel: the body finishes, its result is recorded, the next is not called."""
    running = make_running(last=last)

    cancel_workflow(running.iid, running.elsewhere, "enough", "boss")
    meanwhile = running.status
    status = running.end()

    assert ("in_progress", "enough") == (meanwhile.status, meanwhile.reason)
    assert ("cancelled", "enough", "boss") == (
        status.status,
        status.reason,
        status.cancelled_by,
    )
    assert ["middle"] == running.calls
    assert 6 == running.operations.get_task_result(running.iid, "middle")


@pytest.mark.parametrize("last", [True, False], ids=["then another", "the last task"])
def test_pausing_a_running_instance_holds_it_at_the_boundary(make_running, last):
    """Row pause: the body finishes, and after the unpause it goes on from there."""
    running = make_running(last=last)

    pause_workflow(running.iid, running.elsewhere, "why", "boss")
    meanwhile = running.status
    status = running.end()
    unpause_workflow(running.iid, running.elsewhere)
    resumed = resume_workflow(running.workflow, running.iid, running.elsewhere)

    assert ("in_progress", "why") == (meanwhile.status, meanwhile.reason)
    assert ("paused", "why", "boss") == (status.status, status.reason, status.paused_by)
    assert "completed" == resumed.status
    assert ["middle", 6] == running.calls if last else ["middle"] == running.calls


BACK_OFF = RetryPolicy(9, 600.0)


@pytest.mark.parametrize(
    ("ask", "expected"),
    [(cancel_workflow, "cancelled"), (pause_workflow, "paused")],
    ids=["cancel", "pause"],
)
def test_an_instance_in_back_off_is_stopped_promptly(
    store, iid, background, eventually, ask, expected
):
    """Rows cancel and pause: the runner does not wait for the next attempt."""
    here, elsewhere = store.backend, store.again()
    calls = []

    @task(retries=BACK_OFF)
    def failing(value):
        calls.append(value)
        raise ValueError("again")

    workflow = Flow("f").then(failing).build()
    run = background(lambda: run_durable_workflow(workflow, iid, 5, here))
    eventually(lambda: calls and Operations(elsewhere).task(iid, "failing").error)

    ask(iid, elsewhere, "why")
    at_once = Operations(elsewhere).status(iid)

    assert (expected, "why") == (at_once.status, at_once.reason)
    assert expected == run.result(timeout=10).status
    assert [5] == calls


def test_a_pending_pause_can_be_withdrawn(make_running):
    """Row unpause: in progress with a pending pause."""
    running = make_running()

    pause_workflow(running.iid, running.elsewhere)
    unpause_workflow(running.iid, running.elsewhere)
    status = running.end()

    assert "completed" == status.status


def test_a_cancel_wins_over_a_pending_pause(make_running):
    """Both pending: cancelled."""
    running = make_running()

    pause_workflow(running.iid, running.elsewhere, "why", "me")
    cancel_workflow(running.iid, running.elsewhere, "enough", "boss")
    status = running.end()

    assert ("cancelled", "enough", "boss") == (
        status.status,
        status.reason,
        status.cancelled_by,
    )


def test_a_running_instance_cannot_be_unpaused_or_retried(make_running):
    """Rows unpause and retry: in progress."""
    running = make_running()

    with pytest.raises(BackendError):
        unpause_workflow(running.iid, running.elsewhere)
    with pytest.raises(WorkflowError):
        retry_workflow(running.workflow, running.iid, running.elsewhere)

    assert "completed" == running.end().status


def test_a_signal_to_a_running_instance_is_buffered(make_running):
    """Row send_signal: in progress."""
    running = make_running()

    send_signal(running.iid, "go", 1, running.elsewhere)

    assert "completed" == running.end().status
    assert ["go"] == [s.name for s in running.elsewhere.signals.pending(running.iid)]
