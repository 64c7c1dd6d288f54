"""Requests from outside that meet a run at every boundary, over generated workflows."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayiir_core.errors import InstanceNotFoundError, InstanceStateError
from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.head import InstanceState
from sayiir_pytest.process import World
from sayiir_pytest.strategies import CallLog, Expected, Plan, build, expected, plans
from sayiir_runtime.status import WorkflowStatus
from tests.laws.lawbook import (
    BACKOFF,
    check_outcome,
    check_records,
    count_calls,
    laws,
    presend,
    store_of,
)

BOUNDARIES = 6


def request_at(world: World, instance_id: str, number: int, request: str) -> Callable[[int], None]:
    """Return a hook that makes one request at one boundary, if the state allows it there."""

    def at(call: int) -> None:
        if call != number:
            return
        control = world.store.control
        try:
            if request == "pause":
                control.pause(InstanceId(instance_id), reason="law", by="test")
            else:
                control.cancel(InstanceId(instance_id), reason="law", by="test")
        except (InstanceNotFoundError, InstanceStateError):
            return

    return at


def run_with_request(
    world: World, plan: Plan, value: int, outcome: Expected, number: int, request: str
) -> tuple[str, CallLog, WorkflowStatus]:
    """Run a plan that meets a request at a boundary, as far as it goes."""
    instance_id = uuid.uuid4().hex
    calls = CallLog()
    presend(world, instance_id, outcome)
    process = world.process()
    process.backend.before_call = request_at(world, instance_id, number, request)
    workflow = build(plan, calls, retry_delay=BACKOFF)
    status = process.run(workflow, instance_id, value)
    process.exit()
    return instance_id, calls, status


def sample(seed: int, boundaries: int) -> list[int]:
    """Return some boundaries to meet."""
    numbers = range(1, boundaries + 1)
    return random.Random(seed).sample(numbers, min(BOUNDARIES, len(numbers)))


def test_a_pause_at_any_boundary_loses_nothing(
    world: World, request: pytest.FixtureRequest
) -> None:
    """Paused anywhere, then unpaused and resumed, a run ends as if nothing had happened."""

    @laws(store_of(request))
    @given(plans(signals=True), st.integers(0, 99), st.integers(0, 2**32))
    def law(plan: Plan, value: int, seed: int) -> None:
        outcome = expected(plan, value)
        for number in sample(seed, count_calls(world, plan, value, outcome)):
            instance_id, calls, status = run_with_request(
                world, plan, value, outcome, number, "pause"
            )
            if status.is_paused():
                assert world.head(instance_id).executing is False
                before = len(calls)
                world.store.control.unpause(InstanceId(instance_id))
                process = world.process()
                workflow = build(plan, calls, retry_delay=BACKOFF)
                status = process.run(workflow, instance_id, value)
                process.exit()
                assert len(calls) >= before
            check_outcome(status, outcome)
            check_records(world, instance_id)
            assert calls.repeated() == []

    law()


def test_a_cancel_at_any_boundary_ends_the_run(
    world: World, request: pytest.FixtureRequest
) -> None:
    """Cancelled anywhere, a run ends cancelled, or as it would have if it had ended already."""

    @laws(store_of(request))
    @given(plans(signals=True), st.integers(0, 99), st.integers(0, 2**32))
    def law(plan: Plan, value: int, seed: int) -> None:
        outcome = expected(plan, value)
        for number in sample(seed, count_calls(world, plan, value, outcome)):
            instance_id, calls, status = run_with_request(
                world, plan, value, outcome, number, "cancel"
            )
            head = world.head(instance_id)
            assert head.executing is False
            if head.header.state is InstanceState.CANCELLED:
                assert status.is_cancelled()
                assert (status.reason, status.cancelled_by) == ("law", "test")
            else:
                check_outcome(status, outcome)
            assert calls.repeated() == []
            check_records(world, instance_id)

    law()


def test_a_failed_run_can_be_retried_to_the_same_failure_or_beyond_it(
    world: World, request: pytest.FixtureRequest
) -> None:
    """A retry runs no recorded step again, and a failure that stays gives the same status."""

    @laws(store_of(request))
    @given(plans(), st.integers(0, 99))
    def law(plan: Plan, value: int) -> None:
        outcome = expected(plan, value)
        if outcome.status != "failed":
            return
        instance_id = uuid.uuid4().hex
        calls = CallLog()
        workflow = build(plan, calls, retry_delay=BACKOFF)
        process = world.process()
        process.run(workflow, instance_id, value)
        recorded = set(world.succeeded(instance_id))
        before = len(calls.calls)

        world.store.control.retry(InstanceId(instance_id))
        status = process.run(workflow, instance_id, value)

        assert status.is_failed() or status.is_completed()
        assert [call for call in calls.calls[before:] if call.step in recorded] == []
        check_records(world, instance_id)
        process.exit()

    law()
