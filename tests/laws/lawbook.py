"""What all tests of laws share: how many workflows, and what is checked of every run.

The number of workflows is bounded here and larger by command: ``SAYIIR_LAWS_EXAMPLES=500``.
"""

from __future__ import annotations

import os
import uuid
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from sayiir_pytest.process import World
from sayiir_pytest.strategies import CallLog, Expected, Plan, build
from sayiir_runtime.api import send_signal
from sayiir_runtime.status import WorkflowStatus

EXAMPLES = int(os.environ.get("SAYIIR_LAWS_EXAMPLES", "0"))
DEFAULTS = {"memory": 60, "keyvalue": 10, "sqlite": 25, "postgres": 12, "sharded": 3}
BACKOFF = 0.01


def laws(store: str) -> settings:
    """Return how many workflows are tried on a store."""
    return settings(
        max_examples=EXAMPLES or DEFAULTS[store],
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
        ],
    )


def check_outcome(status: WorkflowStatus, outcome: Expected) -> None:
    """Compare a status with what the independent interpreter expects."""
    assert outcome.status == status.status
    if status.is_completed():
        assert outcome.output == status.output
    else:
        assert status.error is not None
        assert outcome.explains(status.error), (status.error, outcome.errors)


def presend(world: World, instance_id: str, outcome: Expected) -> None:
    """Send every signal that the plan waits for, before the instance exists."""
    for name, payload in outcome.signals:
        send_signal(instance_id, name, payload, world.store)


def store_of(request: pytest.FixtureRequest) -> str:
    """Return which store a test runs on."""
    callspec: Any = request.node.callspec
    return str(callspec.params["world"])


def check_records(world: World, instance_id: str) -> None:
    """At most one record of a step succeeded, and attempts are counted without gaps."""
    succeeded: Counter[Any] = Counter()
    attempts: dict[Any, list[int]] = {}
    for row in world.steps(instance_id):
        step = (row.record.node, row.record.turns)
        attempts.setdefault(step, []).append(row.record.attempt)
        succeeded[step] += row.record.status == "succeeded"
    assert {step: n for step, n in succeeded.items() if n > 1} == {}
    for step, numbers in attempts.items():
        assert numbers == list(range(1, len(numbers) + 1)), (step, numbers)


def count_calls(world: World, plan: Plan, value: int, outcome: Expected) -> int:
    """Return at how many store calls an undisturbed run can die."""
    instance_id = uuid.uuid4().hex
    presend(world, instance_id, outcome)
    process = world.process()
    status = process.run(build(plan, CallLog(), retry_delay=BACKOFF), instance_id, value)
    check_outcome(status, outcome)
    process.exit()
    return process.backend.calls
