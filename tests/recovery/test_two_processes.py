"""Two processes and one instance: exactly one executes, and the other is told who."""

from __future__ import annotations

import platform
import signal
import time

import pytest

from sayiir import InstanceBusyError, Operations, resume_workflow, run_durable_workflow


def test_resuming_what_another_process_runs_names_holder_and_host(scene):
    """The error is immediate, and the one that runs is not disturbed."""
    child = scene.spawn("holding")
    scene.wait_for_marker("entered")
    workflow, backend = scene.workflows.holding(), scene.open()

    started = time.monotonic()
    with pytest.raises(InstanceBusyError) as caught:
        resume_workflow(workflow, scene.instance_id, backend)
    seconds = time.monotonic() - started
    status = run_durable_workflow(workflow, scene.instance_id, 5, backend, "use_existing")
    (scene.folder / "leave").touch()

    assert platform.node() == caught.value.host
    assert f"process {child.pid}" in caught.value.holder
    assert caught.value.holder in str(caught.value)
    assert 0 <= caught.value.lease_age_seconds < 30
    assert seconds < 5
    assert "in_progress" == status.status
    assert {"status": "completed", "output": 14, "error": None} == scene.told_by(child)
    assert {"inc": 1, "held": 1, "dbl": 1} == scene.paths()


def test_a_killed_holder_is_replaced_at_once(scene):
    """The kernel tells that it is dead; nobody waits for its lease."""
    child = scene.spawn("holding")
    scene.wait_for_marker("entered")
    child.send_signal(signal.SIGKILL)
    child.wait()
    (scene.folder / "leave").touch()

    started = time.monotonic()
    status = scene.resume("holding")

    assert 14 == status.output
    assert time.monotonic() - started < 5
    assert {"inc": 1, "held": 2, "dbl": 1} == scene.paths()


def test_a_stopped_holder_is_not_taken_for_dead(scene):
    """A process that does not run at the moment still holds what it runs."""
    child = scene.spawn("holding")
    scene.wait_for_marker("entered")
    child.send_signal(signal.SIGSTOP)

    with pytest.raises(InstanceBusyError):
        resume_workflow(scene.workflows.holding(), scene.instance_id, scene.open())
    child.send_signal(signal.SIGCONT)
    (scene.folder / "leave").touch()

    assert "completed" == scene.told_by(child)["status"]
    assert 1 == scene.paths()["held"]


def test_of_two_processes_that_start_one_id_one_executes(scene):
    """Three processes at once, one execution."""
    children = [scene.spawn("holding") for _ in range(3)]
    scene.wait_for_marker("entered")
    (scene.folder / "leave").touch()

    told = [scene.told_by(child) for child in children]

    assert {"completed", "busy"} >= {each["status"] for each in told}
    assert "completed" in [each["status"] for each in told]
    assert {"inc": 1, "held": 1, "dbl": 1} == scene.paths()


def test_of_two_processes_that_resume_one_instance_one_executes(scene):
    """After a kill everybody may come; one goes on."""
    assert scene.killed("holding", RECOVERY_KILL_IN_BODY="2")

    children = [scene.spawn("holding") for _ in range(3)]
    scene.wait_for_marker("entered")
    (scene.folder / "leave").touch()
    told = [scene.told_by(child) for child in children]

    assert "completed" in [each["status"] for each in told]
    assert {"inc": 1, "held": 2, "dbl": 1} == scene.paths()
    assert 14 == Operations(scene.open()).status(scene.instance_id).output
