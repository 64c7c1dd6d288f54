"""The table "State × operation": reading, running, resuming and retrying in every state."""

import pytest

from sayiir import Flow, InstanceAlreadyExistsError, WorkflowError, cancel_workflow, send_signal
from tests.semantics.driving import resume_workflow, retry_workflow, run_durable_workflow

STATES = (
    "in_progress",
    "waiting",
    "awaiting_signal",
    "paused",
    "completed",
    "failed",
    "cancelled",
)
LIVE = STATES[:3]
FINAL = STATES[4:]


def states(*chosen):
    return pytest.mark.parametrize("state", chosen)


@states(*STATES)
def test_status_tells_the_state(scene, state):
    """Row status: live in every state."""
    scene.reach(state)

    assert state == scene.status.status


@states(*STATES)
def test_get_task_result_is_readable_in_every_state(scene, state):
    """Row get_task_result: what is recorded is there, what is not is None."""
    scene.reach(state)

    done = state == "completed"
    assert 5 == scene.operations.get_task_result(scene.iid, "first")
    assert (5 if done else None) == scene.operations.get_task_result(scene.iid, "last")


@states(*STATES)
def test_run_with_fail_is_refused_in_every_state(scene, state):
    """Row run, fail: the id is taken, and nothing is called."""
    scene.reach(state)
    before = list(scene.calls)

    with pytest.raises(InstanceAlreadyExistsError, match=scene.iid):
        run_durable_workflow(scene.workflow, scene.iid, 9, scene.backend)
    with pytest.raises(InstanceAlreadyExistsError, match=state):
        run_durable_workflow(scene.workflow, scene.iid, 9, scene.backend, "fail")

    assert (before, state) == (scene.calls, scene.status.status)


@states("waiting", "awaiting_signal", "paused", "completed", "failed", "cancelled")
def test_run_with_use_existing_gives_the_status(scene, state):
    """Row run, use_existing: the status, for a completed one with its output; nothing is called."""
    scene.reach(state)
    before = list(scene.calls)

    status = run_durable_workflow(scene.workflow, scene.iid, 9, scene.backend, "use_existing")

    assert state == status.status
    assert (5 if state == "completed" else None) == status.output
    assert before == scene.calls


def test_run_with_use_existing_continues_what_nobody_runs(scene):
    """Row run, use_existing: in progress without a live claim; the stored input wins."""
    scene.reach("in_progress")
    scene.broken = False

    status = run_durable_workflow(scene.workflow, scene.iid, 9, scene.backend, "use_existing")

    assert ("completed", 5) == (status.status, status.output)
    assert ["first", "interrupted", "interrupted", "last"] == scene.calls


@pytest.mark.parametrize("policy", ["fail", "use_existing", "terminate_existing"])
def test_run_of_an_absent_instance_runs_under_every_policy(scene, policy):
    """Rows run: absent."""
    workflow = scene.flow().build()

    assert 7 == run_durable_workflow(workflow, scene.iid, 7, scene.backend, policy).output


@states(*STATES)
def test_run_with_terminate_existing_starts_afresh(scene, state):
    """Row run, terminate_existing: a new run with the new input, in every state."""
    scene.reach(state)
    old = scene.status
    scene.broken = False
    scene.calls.clear()

    status = run_durable_workflow(scene.workflow, scene.iid, 9, scene.backend, "terminate_existing")

    assert "first" == scene.calls[0]
    assert old.run_id != status.run_id
    assert (status.reason, status.error) == (None, None)
    assert 9 == scene.operations.get_task_result(scene.iid, "first")


@states(*STATES)
def test_terminating_drops_old_signals_and_requests(scene, state):
    """Row run, terminate_existing: what was sent to the old run does not reach the new one."""
    scene.reach(state)
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


@states(*STATES)
@pytest.mark.parametrize("policy", ["fail", "use_existing"])
def test_running_another_definition_is_refused_naming_both(scene, state, policy):
    """Row another definition: run."""
    scene.reach(state)
    other = another(scene)

    with pytest.raises(WorkflowError) as caught:
        run_durable_workflow(other, scene.iid, 5, scene.backend, policy)

    assert_names_both(caught.value, scene, other)
    assert "another" not in scene.calls


@states(*STATES)
def test_resuming_another_definition_is_refused_naming_both(scene, state):
    """Row another definition: resume."""
    scene.reach(state)
    other = another(scene)

    with pytest.raises(WorkflowError) as caught:
        resume_workflow(other, scene.iid, scene.backend)

    assert_names_both(caught.value, scene, other)


@states(*STATES)
def test_terminating_replaces_by_another_definition(scene, state):
    """Row another definition: terminate."""
    scene.reach(state)
    other = another(scene)

    status = run_durable_workflow(other, scene.iid, 3, scene.backend, "terminate_existing")

    assert ("completed", 3) == (status.status, status.output)


@states("waiting", "awaiting_signal", "paused", "completed", "failed", "cancelled")
def test_resume_gives_the_status_where_nothing_can_run(scene, state):
    """Row resume: parked, paused and final instances; nothing is called."""
    scene.reach(state)
    before = list(scene.calls)

    status = scene.resume()

    assert state == status.status
    assert (5 if state == "completed" else None) == status.output
    assert before == scene.calls


def test_resume_tells_why(scene):
    """Row resume: a cancelled one has reason and author, a paused one likewise."""
    scene.reach("paused")
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
    scene.reach("in_progress")
    scene.broken = False

    assert 5 == scene.resume().output
    assert ["first", "interrupted", "interrupted", "last"] == scene.calls


@states("waiting", "awaiting_signal", "paused", "completed", "cancelled", "in_progress")
def test_retry_is_refused_unless_failed(scene, state):
    """Row retry: a WorkflowError in every other state."""
    scene.reach(state)
    before = list(scene.calls)

    with pytest.raises(WorkflowError, match=scene.iid):
        retry_workflow(scene.workflow, scene.iid, scene.backend)

    assert (before, state) == (scene.calls, scene.status.status)


def test_retry_continues_from_the_failed_node(scene):
    """Row retry: failed; what was recorded is not called again."""
    scene.reach("failed")
    scene.broken = False

    status = retry_workflow(scene.workflow, scene.iid, scene.backend)

    assert ("completed", 5, None) == (status.status, status.output, status.error)
    assert ["first", "failing", "failing", "last"] == scene.calls
