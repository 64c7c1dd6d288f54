"""The laws over generated workflows, with a crash at every boundary."""

from __future__ import annotations

import random
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayiir_core.errors import TaskError
from sayiir_pytest.crash import CrashPoint, Moment, SimulatedCrash
from sayiir_pytest.process import World
from sayiir_pytest.strategies import CallLog, Expected, Plan, build, expected, plans
from sayiir_runtime.runner.inprocess import InProcessRunner
from tests.laws.lawbook import (
    BACKOFF,
    EXAMPLES,
    check_outcome,
    check_records,
    count_calls,
    laws,
    presend,
    store_of,
)


@settings(max_examples=EXAMPLES or 150, deadline=None)
@given(plans(), st.integers(0, 99))
def test_law_1_in_process_gives_what_the_plan_says(plan: Plan, value: int) -> None:
    """A run without a store gives the output, or an error of a task that can fail."""
    outcome = expected(plan, value)
    calls = CallLog()

    try:
        output = InProcessRunner().run(build(plan, calls), value)
    except TaskError as error:
        assert outcome.status == "failed"
        assert outcome.explains(str(error)), (str(error), outcome.errors)
    else:
        assert outcome.status == "completed"
        assert outcome.output == output
        assert len(calls) == outcome.calls
    assert calls.repeated() == []


def test_law_1_every_store_gives_what_the_plan_says(
    world: World, request: pytest.FixtureRequest
) -> None:
    """A durable run gives the same output and status on every store, and runs nothing twice."""

    @laws(store_of(request))
    @given(plans(signals=True), st.integers(0, 99))
    def law(plan: Plan, value: int) -> None:
        instance_id = uuid.uuid4().hex
        outcome = expected(plan, value)
        calls = CallLog()
        presend(world, instance_id, outcome)
        process = world.process()

        status = process.run(build(plan, calls, retry_delay=BACKOFF), instance_id, value)

        check_outcome(status, outcome)
        assert calls.repeated() == []
        check_records(world, instance_id)
        process.exit()

    law()


def test_laws_1_to_3_hold_for_a_crash_at_every_boundary(
    world: World, request: pytest.FixtureRequest
) -> None:
    """Whatever call a process dies at, the next one comes to the same end and repeats no record."""

    @laws(store_of(request))
    @given(plans(signals=True), st.integers(0, 99), st.integers(0, 2**32))
    def law(plan: Plan, value: int, seed: int) -> None:
        outcome = expected(plan, value)
        boundaries = count_calls(world, plan, value, outcome)
        points = [CrashPoint(n, moment) for n in range(1, boundaries + 1) for moment in Moment]
        for point in random.Random(seed).sample(points, min(40, len(points))):
            crash_and_recover(world, plan, value, outcome, point)

    law()


def crash_and_recover(
    world: World, plan: Plan, value: int, outcome: Expected, point: CrashPoint
) -> None:
    """Let one process die at a point and another one take over."""
    instance_id = uuid.uuid4().hex
    calls = CallLog()
    workflow = build(plan, calls, retry_delay=BACKOFF)
    presend(world, instance_id, outcome)
    try:
        world.process(point).run(workflow, instance_id, value)
    except SimulatedCrash:
        world.bury()
    recorded = set(world.succeeded(instance_id))
    before = calls.calls
    rescuer = world.process()

    status = rescuer.run(workflow, instance_id, value)

    check_outcome(status, outcome)
    check_records(world, instance_id)
    after = calls.calls[len(before) :]
    assert [call for call in after if call.step in recorded] == []
    check_redelivered(before, after)
    rescuer.exit()


def check_redelivered(before: tuple[Any, ...], after: tuple[Any, ...]) -> None:
    """What was in flight at the crash runs again with the same input and attempt."""
    assert len({(c.step, c.attempt) for c in after}) == len(after)
    first = {(c.step, c.attempt): c.value for c in before}
    for call in after:
        assert first.get((call.step, call.attempt), call.value) == call.value
