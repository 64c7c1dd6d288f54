"""Composites are read by name wherever they stand."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from sayiir_core.authoring import Flow, LoopResult
from sayiir_runtime.api import run_durable_workflow
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.operations import Operations


def inc(value: int) -> int:
    return value + 1


def joined(value: Any) -> int:
    return value["a"]


def decide(value: int) -> Any:
    return LoopResult.done(value) if value > 3 else LoopResult.again(value)


def finish(value: int) -> Any:
    return LoopResult.done(value)


def choose(_: int) -> str:
    return "k"


def looping() -> Any:
    """Return a loop of two turns that holds a composite of each kind."""
    nested = Flow("n").then(finish, name="once").build()
    body = (
        Flow("body")
        .then_flow(Flow("sub").then(inc, name="x").build())
        .route(choose, keys=["k"])
        .branch("k", inc)
        .done()
        .then(lambda v: v["result"], name="taken")
        .fork()
        .branch(lambda v: v, name="a")
        .branch(lambda v: v, name="b")
        .join(joined)
        .loop(nested, name="inner")
        .then(decide)
        .build()
    )
    return Flow("f").loop(body, name="outer").build()


@pytest.mark.parametrize(
    ("name", "turns", "value"),
    [
        ("child_0", (1,), 3),
        ("branch_0", (1,), {"branch": "k", "result": 4}),
        ("fork_0", (1,), 4),
        ("inner", (1,), 4),
        ("outer", (), 4),
        ("fork_0[0]", (0,), 2),
        ("child_0[0]", (0,), 1),
        ("inner[0]", (0,), 2),
    ],
)
def test_a_composite_in_a_loop_is_found_by_name(name: str, turns: Any, value: Any) -> None:
    """Only leaves have records, so the turns of a composite were not found."""
    backend = InMemoryBackend()
    run_durable_workflow(looping(), "i", 0, backend)

    found = Operations(backend).task("i", name)

    assert ("succeeded", turns, value) == (found.state.value, found.turns, found.value)


def test_a_wrong_return_in_a_sub_flow_names_the_loop_that_it_ends() -> None:
    """It named the sub-flow instead."""
    body = Flow("b").then_flow(Flow("c").then(inc).build()).build()

    status = run_durable_workflow(Flow("f").loop(body, name="outer").build(), "i", 0)

    assert "the last task of loop 'outer', 'inc', returned int" in status.error


def test_a_workflow_that_ran_can_be_forgotten() -> None:
    """What was prepared to run it once kept it alive for ever."""
    workflow = Flow("f").then(inc).build()
    run_durable_workflow(workflow, "i", 0)
    gone = weakref.ref(workflow)

    del workflow
    gc.collect()

    assert gone() is None
