"""Long and deep workflows: nothing recurses, and nothing grows with what has run."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from sayiir_core.authoring import Flow, Workflow
from sayiir_core.errors import DefinitionErrors
from sayiir_pytest.crash import CrashPoint, Moment, SimulatedCrash
from sayiir_pytest.process import World
from sayiir_runtime.runner.inprocess import InProcessRunner

LENGTH = 20_000
DEPTH = 200


def increment(value: int) -> int:
    """Add one."""
    return value + 1


def chain(length: int) -> Workflow[Any, Any]:
    """Return a chain of tasks."""
    flow: Any = Flow("chain")
    for number in range(length):
        flow = flow.then(increment, name=f"step_{number}")
    return flow.build()


def nested(depth: int) -> Workflow[Any, Any]:
    """Return a workflow of forks within each other, so many levels deep."""
    workflow: Any = Flow("level").then(increment).build()
    for _ in range(depth):
        flow: Any = Flow("level")
        workflow = flow.fork().branch(workflow, name="b").join(unwrap).build()
    return workflow


def unwrap(results: dict[str, int]) -> int:
    """Return the value of the only branch."""
    return results["b"]


def test_20000_sequential_nodes_build_and_run_in_process() -> None:
    """A chain of 20,000 tasks is built, hashed and run."""
    workflow = chain(LENGTH)

    assert InProcessRunner().run(workflow, 0) == LENGTH
    assert len(workflow.definition_hash) == 64


def test_20000_sequential_nodes_survive_a_crash_in_the_middle(world: World) -> None:
    """A crash after 12,000 of 20,000 steps costs no step, and the resume starts at once."""
    middle = LENGTH * 6 // 10
    workflow = chain(LENGTH)
    with pytest.raises(SimulatedCrash):
        world.process(CrashPoint(middle + 1, Moment.AFTER)).run(workflow, "long", 0)
    world.bury()

    started = time.perf_counter()
    head = world.head("long")
    loading = time.perf_counter() - started
    status = world.process().run(workflow, "long", 0)

    assert len(head.cursors) == 1
    assert loading < 0.05
    assert status.output == LENGTH
    assert len(world.succeeded("long")) == LENGTH


def test_200_nested_levels_run_and_recover(world: World) -> None:
    """Forks nested 200 deep come back from a crash at their bottom."""
    workflow = nested(DEPTH)
    with pytest.raises(SimulatedCrash):
        world.process(CrashPoint(DEPTH + 1, Moment.AFTER)).run(workflow, "deep", 1)
    world.bury()

    status = world.process().run(workflow, "deep", 1)

    assert status.output == 2


def test_201_nested_levels_are_refused_when_built() -> None:
    """The limit is said, not found out by a crash."""
    with pytest.raises(DefinitionErrors, match="200"):
        nested(DEPTH + 1)


def test_the_cost_of_a_step_does_not_grow_with_the_history(world: World) -> None:
    """The fastest late block of steps costs about what the fastest early one does.

    A cost in proportion to the history would be ten times as high.
    """
    length = 4_000 if world.store.capabilities.never_blocks else 2_000
    tenth, block = length // 10, 25
    moments: list[float] = []

    def tick(value: int) -> int:
        moments.append(time.perf_counter())
        return value + 1

    flow: Any = Flow("ticks")
    for number in range(length):
        flow = flow.then(tick, name=f"tick_{number}")
    world.process().run(flow.build(), "ticks", 0)

    early, late = (
        min(moments[n + block] - moments[n] for n in range(first, first + tenth - block, block))
        for first in (tenth // 2, length - tenth)
    )
    assert late < 4 * early, (timedelta(seconds=early), timedelta(seconds=late))
