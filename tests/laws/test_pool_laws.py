"""Law 1 for pools: however many workers run a workflow, it ends as its plan says."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from sayiir_core.errors import InstanceStateError
from sayiir_pytest.strategies import CallLog, Plan, build, expected, plans
from tests.laws.conftest import make_store
from tests.laws.lawbook import BACKOFF, EXAMPLES, check_outcome, check_records
from tests.laws.pool import LATE, TAGS, PoolWorld, crew_of

STORES = {"memory": 30, "keyvalue": 6, "sqlite": 8, "postgres": 5, "sharded": 3}
"""How many workflows are tried on a store with each number of workers."""


@pytest.fixture(params=["memory", "keyvalue", "sqlite", "postgres"])
def pool(request: pytest.FixtureRequest) -> Iterator[PoolWorld]:
    """Give a store of each kind on the real clock."""
    make = make_store(request.param, request)
    world = PoolWorld(lambda: make(None))
    yield world
    world.close()


def examples(store: str) -> settings:
    """Return how many workflows are tried."""
    return settings(
        max_examples=EXAMPLES or STORES[store],
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def store_of(request: pytest.FixtureRequest) -> str:
    """Return which store a test runs on."""
    callspec: Any = request.node.callspec
    return str(callspec.params["pool"])


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_law_1_any_number_of_workers_gives_what_the_plan_says(
    pool: PoolWorld, workers: int, request: pytest.FixtureRequest
) -> None:
    """Same output or failure, each body once, whoever ran it, with signals sent meanwhile."""

    @examples(store_of(request))
    @given(plans(signals=True, tags=TAGS), st.integers(0, 99), st.integers(0, 2**32))
    def law(plan: Plan, value: int, seed: int) -> None:
        chance = random.Random(seed)
        instance_id, calls, outcome = uuid.uuid4().hex, CallLog(), expected(plan, value)
        crew = crew_of(workers, chance)
        event(f"{outcome.status}, {len(outcome.signals)} signals")
        workflow = build(plan, calls, name=f"plan-{instance_id}", retry_delay=BACKOFF)

        status, sessions = pool.run(
            workflow, instance_id, value, crew=crew, outcome=outcome, chance=chance
        )

        check_outcome(status, outcome)
        assert calls.repeated() == []
        if status.is_completed():
            assert len(calls) == outcome.calls
        check_records(pool.records, instance_id)
        pool.check_rest(instance_id)
        pool.check_tags(workflow, instance_id, sessions)

    law()


def test_law_1_workers_that_come_and_go_change_nothing(
    pool: PoolWorld, request: pytest.FixtureRequest
) -> None:
    """Crews are stopped without grace at any moment, and others go on: no record is repeated."""

    @examples(store_of(request))
    @given(plans(signals=False, tags=TAGS), st.integers(0, 99), st.integers(0, 2**32))
    def law(plan: Plan, value: int, seed: int) -> None:
        chance = random.Random(seed)
        instance_id, calls, outcome = uuid.uuid4().hex, CallLog(), expected(plan, value)
        workflow = build(plan, calls, name=f"plan-{instance_id}", retry_delay=BACKOFF)
        handle = pool.client.submit(workflow, instance_id, value)
        for _ in range(3):
            before = len(calls)
            recorded = set(pool.records.succeeded(instance_id))
            with pool.at_work(crew_of(2, chance), workflow) as workers:
                # Bodies are given back at any point between a claim and the end of the run.
                wanted = chance.randint(0, 4)
                while handle.status().is_in_progress() and len(calls) < before + wanted:
                    assert any(worker.is_alive for worker in workers)
                    time.sleep(0.001)
            assert [call for call in calls.calls[before:] if call.step in recorded] == []
        with pool.at_work(crew_of(2, chance), workflow):
            status = handle.wait(LATE)

        check_outcome(status, outcome)
        check_records(pool.records, instance_id)
        pool.check_rest(instance_id)

    law()


def test_law_1_pauses_lose_nothing(pool: PoolWorld, request: pytest.FixtureRequest) -> None:
    """Paused and unpaused again at any moment, a run ends as if nothing had happened."""

    @examples(store_of(request))
    @given(plans(signals=True, tags=TAGS), st.integers(0, 99), st.integers(0, 2**32))
    def law(plan: Plan, value: int, seed: int) -> None:
        chance = random.Random(seed)
        instance_id, calls, outcome = uuid.uuid4().hex, CallLog(), expected(plan, value)
        workflow = build(plan, calls, name=f"plan-{instance_id}", retry_delay=BACKOFF)
        for name, payload in outcome.signals:
            pool.client.send_signal(instance_id, name, payload)
        handle = pool.client.submit(workflow, instance_id, value)
        with pool.at_work(crew_of(2, chance), workflow):
            for _ in range(chance.randint(1, 4)):
                time.sleep(chance.choice([0, 0.001, 0.003, 0.01]))
                with suppress(InstanceStateError):
                    handle.pause(reason="law")
                    time.sleep(chance.choice([0, 0.001, 0.005]))
                    handle.unpause()
            status = handle.wait(LATE)

        check_outcome(status, outcome)
        assert calls.repeated() == []
        check_records(pool.records, instance_id)
        pool.check_rest(instance_id)

    law()


def test_law_1_a_cancel_ends_the_run_or_comes_too_late(
    pool: PoolWorld, request: pytest.FixtureRequest
) -> None:
    """Cancelled at any moment, a run ends cancelled and stays quiet, or it had ended already."""

    @examples(store_of(request))
    @given(plans(signals=True, tags=TAGS), st.integers(0, 99), st.integers(0, 2**32))
    def law(plan: Plan, value: int, seed: int) -> None:
        chance = random.Random(seed)
        instance_id, calls, outcome = uuid.uuid4().hex, CallLog(), expected(plan, value)
        workflow = build(plan, calls, name=f"plan-{instance_id}", retry_delay=BACKOFF)
        for name, payload in outcome.signals:
            pool.client.send_signal(instance_id, name, payload)
        handle = pool.client.submit(workflow, instance_id, value)
        with pool.at_work(crew_of(2, chance), workflow):
            time.sleep(chance.choice([0, 0.001, 0.003, 0.01, 0.03]))
            with suppress(InstanceStateError):
                handle.cancel(reason="law", cancelled_by="test")
            status = handle.wait(LATE)
            called = len(calls)
        event(status.status)

        if status.is_cancelled():
            assert (status.reason, status.cancelled_by) == ("law", "test")
            assert handle.status().status == "cancelled"
        else:
            check_outcome(status, outcome)
        assert len(calls) == called
        assert calls.repeated() == []
        check_records(pool.records, instance_id)
        pool.check_rest(instance_id)

    law()


def test_a_crew_serves_every_tag() -> None:
    """Or a law would wait for a worker that never comes."""
    for seed in range(300):
        for size in (1, 2, 8):
            crew = crew_of(size, random.Random(seed))
            assert len(crew.tags) == size
            for tag in TAGS:
                assert any(not tags or tag in tags for tags in crew.tags), crew


def test_tasks_of_different_tags_are_drawn() -> None:
    """The generator gives plans in which the tags matter."""
    seen: set[str] = set()

    @settings(max_examples=60, deadline=None, database=None)
    @given(plans(tags=TAGS))
    def look(plan: Plan) -> None:
        nodes = build(plan, CallLog()).definition.nodes
        seen.update(node.group for node in nodes)

    look()

    assert len(seen) == 1 + len(TAGS), seen
