"""A body that keeps killing its process is told from its neighbours, and given up."""

from __future__ import annotations

import re

from sayiir import Operations

MOST_KILLS = 5


def kill_until_given_up(scene, name):
    """Let one process after another take the instance; return how many died, and the status."""
    kills = 0
    while scene.killed(name):
        kills += 1
        assert kills <= 2 * MOST_KILLS, "it is never given up"
    return kills, Operations(scene.open()).status(scene.instance_id)


def test_a_body_that_kills_its_process_five_times_fails_naming_the_sessions(scene):
    """Deaths are deliveries, not attempts; the error says which sessions died."""
    kills, status = kill_until_given_up(scene, "poisoned")

    assert MOST_KILLS == kills == scene.paths()["alone_poison"]
    assert ("failed", "alone_poison") == (status.status, status.failed_task)
    assert status.error.startswith("WorkerDiedError")
    assert MOST_KILLS == len(set(re.findall(r"\b[0-9a-f]{32}\b", status.error)))
    assert {"inc": 1, "alone_poison": MOST_KILLS} == scene.paths()


def test_a_parallel_branch_is_not_failed_with_the_one_that_kills(scene):
    """The neighbour ran in each process that died, and yet it completes."""
    _, status = kill_until_given_up(scene, "poisoned_branch")
    operations = Operations(scene.open())

    assert ("failed", "fork_0/poison/poison") == (status.status, status.failed_task)
    assert status.error.startswith("WorkerDiedError")
    assert ("succeeded", 7) == (
        operations.task(scene.instance_id, "innocent").state,
        operations.get_task_result(scene.instance_id, "innocent"),
    )
    assert MOST_KILLS == scene.paths()["fork_0/poison/poison"]
