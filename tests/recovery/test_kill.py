"""Processes are killed at sampled boundaries, and the instance goes on at once elsewhere."""

from __future__ import annotations

import time

import pytest

QUICK = 15.0
"""Less than a lease: nobody waited for one to expire, on however busy a machine."""

CALLS = {
    "linear": (1, 3, 6),
    "forked": (2, 4),
    "repeated": (3, 8),
    "retried": (3, 6),
    "parked": (3, 6),
}
"""Changing store calls at which each workflow's process dies: its creation is the first."""

BODIES = {"linear": 3, "forked": 4, "repeated": 5, "retried": 3, "parked": 3}
"""Call of a body in which each workflow's process dies."""

AT_CALLS = [
    (name, {"RECOVERY_KILL_AT_CALL": f"{moment}:{call}"})
    for name, calls in CALLS.items()
    for call in calls
    for moment in ("before", "after")
]
IN_BODIES = [(name, {"RECOVERY_KILL_IN_BODY": str(call)}) for name, call in BODIES.items()]


def case_name(value):
    return value if isinstance(value, str) else "-".join(value.values())


def prepare(scene, name):
    if name == "parked":
        scene.send("go", 10)


@pytest.mark.parametrize(("name", "kill"), AT_CALLS + IN_BODIES, ids=case_name)
def test_a_killed_instance_is_finished_at_once_and_recorded_steps_never_run_again(
    scene, name, kill
):
    """A kill -9 before, after and between the writes costs at most the steps in flight."""
    prepare(scene, name)
    assert scene.killed(name, **kill), "the sampled boundary does not exist"
    recorded, before = scene.recorded(), scene.calls()

    started = time.monotonic()
    status = scene.resume(name)
    seconds = time.monotonic() - started

    after = scene.calls()
    assert ("completed", scene.workflows.EXPECTED[name]) == (status.status, status.output)
    assert {key: before[key] for key in recorded} == {key: after[key] for key in recorded}
    assert {1} == set(scene.recorded().values())
    # A step in flight runs once more; a flaky one has three attempts of its own.
    assert max(after.values()) <= (4 if name == "retried" else 2)
    assert seconds < QUICK


@pytest.mark.parametrize(("name", "call"), [("linear", 6), ("forked", 10)])
def test_an_instance_survives_a_kill_of_every_process_that_takes_it(scene, name, call):
    """Each process makes some progress and dies; the last one finishes."""
    assert scene.killed(name, RECOVERY_KILL_AT_CALL="after:2")
    recorded = [sum(scene.recorded().values())]

    # Found, taken from the dead, claimed, marked as started, and at least one step recorded.
    while scene.killed(name, RECOVERY_KILL_AT_CALL=f"after:{call}"):
        recorded.append(sum(scene.recorded().values()))
        assert recorded[-1] > recorded[-2], "no progress"

    assert len(recorded) >= 2
    assert {1} == set(scene.recorded().values())
    status = scene.resume(name)
    assert ("completed", scene.workflows.EXPECTED[name]) == (status.status, status.output)


@pytest.mark.parametrize("name", ["linear", "forked"])
def test_another_process_goes_on_as_well_as_this_one(scene, name):
    """What is resumed needs nothing but the store and the code."""
    assert scene.killed(name, RECOVERY_KILL_IN_BODY="3")

    told = scene.finish(name)

    assert ("completed", scene.workflows.EXPECTED[name]) == (told["status"], told["output"])


def test_attempts_go_on_counting_after_a_kill(scene):
    """A killed attempt does not count, the recorded ones before it do."""
    assert scene.killed("retried", RECOVERY_KILL_IN_BODY="3")
    flaky = "flaky"
    assert 2 == scene.paths()[flaky]

    scene.resume("retried")

    assert 4 == scene.paths()[flaky]


def test_what_the_store_acknowledged_was_called_before(scene):
    """No step is recorded that the log does not know."""
    assert scene.killed("forked", RECOVERY_KILL_AT_CALL="after:5")

    assert scene.recorded()
    assert scene.recorded().keys() <= scene.calls().keys()
