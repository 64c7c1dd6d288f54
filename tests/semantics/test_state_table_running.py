"""The table "State × operation" for an instance whose body runs, seen from elsewhere."""

import os
import platform
import threading

import pytest

from sayiir import (
    BackendError,
    Flow,
    InstanceBusyError,
    Operations,
    RetryPolicy,
    WorkflowError,
    cancel_workflow,
    pause_workflow,
    send_signal,
    task,
    unpause_workflow,
)
from tests.semantics.driving import resume_workflow, retry_workflow, run_durable_workflow


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
