"""The table "State × operation": cancel, pause, unpause and signals in every state."""

import pytest

from sayiir import (
    BackendError,
    InstanceNotFoundError,
    InstanceStateError,
    cancel_workflow,
    pause_workflow,
    send_signal,
    unpause_workflow,
)

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


@states(*LIVE, "paused")
def test_cancel_takes_effect_at_once_on_what_does_not_run(scene, state):
    """Row cancel: queued, waiting, awaiting and paused."""
    scene.reach(state)

    cancel_workflow(scene.iid, scene.backend, "enough", "boss")

    status = scene.status
    assert ("cancelled", "enough", "boss") == (
        status.status,
        status.reason,
        status.cancelled_by,
    )
    assert "last" not in scene.calls
    assert "cancelled" == scene.resume().status


@states("completed", "failed")
def test_cancel_is_refused_when_it_is_over(scene, state):
    """Row cancel: completed, failed."""
    scene.reach(state)

    with pytest.raises(BackendError, match=state):
        cancel_workflow(scene.iid, scene.backend)

    assert state == scene.status.status


def test_a_second_cancel_keeps_the_first_reason(scene):
    """Row cancel: cancelled is a no-op."""
    scene.reach("cancelled")

    cancel_workflow(scene.iid, scene.backend, "another", "you")

    assert ("enough", "me") == (scene.status.reason, scene.status.cancelled_by)


@states(*LIVE)
def test_pause_takes_effect_at_once_on_what_does_not_run(scene, state):
    """Row pause: queued, waiting, awaiting."""
    scene.reach(state)

    pause_workflow(scene.iid, scene.backend, "why", "boss")

    status = scene.status
    assert ("paused", "why", "boss") == (status.status, status.reason, status.paused_by)
    assert "paused" == scene.resume().status


def test_a_second_pause_changes_nothing(scene):
    """Row pause: paused is a no-op."""
    scene.reach("paused")

    pause_workflow(scene.iid, scene.backend, "another", "you")

    assert ("paused", "why", "me") == (
        scene.status.status,
        scene.status.reason,
        scene.status.paused_by,
    )


@states(*FINAL)
def test_pause_is_refused_when_it_is_over(scene, state):
    """Row pause: completed, failed, cancelled."""
    scene.reach(state)

    with pytest.raises(BackendError, match=state):
        pause_workflow(scene.iid, scene.backend)

    assert state == scene.status.status


@states(*LIVE, *FINAL)
def test_unpause_is_refused_unless_paused(scene, state):
    """Row unpause: every other state, without a pending pause."""
    scene.reach(state)

    with pytest.raises(BackendError) as caught:
        unpause_workflow(scene.iid, scene.backend)

    assert isinstance(caught.value, InstanceStateError)
    assert state == scene.status.status


@states(*LIVE)
def test_unpause_gives_the_previous_state_back(scene, state):
    """Row unpause: paused; the instance goes on as if it had not been."""
    scene.reach(state)
    pause_workflow(scene.iid, scene.backend)

    unpause_workflow(scene.iid, scene.backend)

    assert (state, None, None) == (
        scene.status.status,
        scene.status.reason,
        scene.status.paused_by,
    )
    scene.broken = False
    assert ("completed" if state == "in_progress" else state) == scene.resume().status


@states("in_progress", "waiting", "completed", "failed", "cancelled")
def test_a_signal_that_nothing_awaits_is_kept(scene, state):
    """Row send_signal: buffered or stored, and the state is what it was."""
    scene.reach(state)

    send_signal(scene.iid, "go", 1, scene.backend)

    assert state == scene.status.status
    assert ["go"] == [signal.name for signal in scene.backend.signals.pending(scene.iid)]


def test_a_signal_to_an_absent_instance_is_kept(scene):
    """Row send_signal: absent; it creates no instance."""
    send_signal(scene.iid, "go", 1, scene.backend)

    assert ["go"] == [signal.name for signal in scene.backend.signals.pending(scene.iid)]
    with pytest.raises(InstanceNotFoundError):
        scene.status  # noqa: B018 - reading it is the operation


def test_a_signal_advances_what_awaits_it_at_once(scene):
    """Row send_signal: awaiting; no code runs, but the instance is in progress."""
    scene.reach("awaiting_signal")

    send_signal(scene.iid, "go", 8, scene.backend)

    assert "in_progress" == scene.status.status
    assert ["first"] == scene.calls
    assert 8 == scene.resume().output


def test_a_signal_to_a_paused_instance_is_used_after_the_unpause(scene):
    """Row send_signal: paused."""
    scene.reach("paused")

    send_signal(scene.iid, "go", 8, scene.backend)
    still = scene.resume().status
    unpause_workflow(scene.iid, scene.backend)

    assert "paused" == still
    assert 8 == scene.resume().output
