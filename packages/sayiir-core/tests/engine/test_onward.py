"""Going straight on means what ``advance`` does, and is open exactly where no run matters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sayiir_core.authoring import Flow, LoopResult
from sayiir_core.engine.advance import advance
from sayiir_core.engine.onward import onward
from sayiir_core.engine.outcome import Succeeded
from sayiir_core.ids import InstanceId, RunId, SessionId
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.effect import Finish, Lease, Move
from sayiir_core.snapshot.head import Cursor
from sayiir_core.snapshot.reference import INPUT, StepRef
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.node import TaskNode

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
ENDED = datetime(2026, 1, 2, tzinfo=UTC)


def same(value: Any) -> Any:
    return value


def decide(value: Any) -> Any:
    return LoopResult.done(value)


def key(_: Any) -> str:
    return "k"


def everything() -> Definition:
    """Return a definition in which a task stands before and behind each kind of node."""
    body = Flow("body").then(same, name="in_body").then(decide, name="last").build()
    sub = Flow("sub").then(same, name="in_sub").then(same, name="end_of_sub").build()
    branch = Flow("branch").then(same, name="x").then(same, name="end_of_branch").build()
    arm = Flow("arm").then(same, name="y").then(same, name="end_of_arm").build()
    flow: Any = Flow("f").then(same, name="first").then(same, name="before_fork")
    flow = flow.fork().branch(branch, name="b").branch(same).join(same, name="join")
    flow = flow.then(same, name="before_route")
    flow = flow.route(key, keys=["k"]).branch("k", arm).done().then(same, name="before_loop")
    flow = flow.loop(body).then(same, name="before_delay").delay("d", 1)
    flow = flow.then(same, name="before_signal").wait_for_signal("s")
    flow = flow.then(same, name="before_sub").then_flow(sub).then(same, name="end")
    return flow.build().definition


def tasks() -> list[TaskNode]:
    return [node for node in everything().nodes if isinstance(node, TaskNode)]


def claim_at(node: int, attempt: int) -> Claim:
    lease = Lease(InstanceId("i"), RunId("r"), 0, (), SessionId("s"), 3)
    cursor = Cursor(0, (), node, (), INPUT, attempt=attempt, seq=7)
    return Claim(lease, everything().identity, cursor)


@pytest.mark.parametrize("node", tasks(), ids=lambda node: node.path)
def test_the_checkpoint_is_that_of_the_engine(node: TaskNode) -> None:
    """A chain of plain tasks never meets ``advance``, and must leave the same behind."""
    straight = onward(everything(), node.ordinal)
    if straight is None:
        return
    claim = claim_at(node.ordinal, attempt=2)
    outcome = Succeeded(b"output", None, None, BEGAN, ENDED)

    checkpoint = straight.checkpoint(claim.lease, 7, 3, b"output", BEGAN, ENDED)

    assert advance(everything(), claim, outcome, now=ENDED) == checkpoint
    assert StepRef(node.ordinal) == straight.value


def test_straight_on_is_open_between_tasks_outside_of_loops_and_to_the_end_of_the_run() -> None:
    """Behind anything else the engine walks, or what follows depends on the turn or the value."""
    found = {node.id: onward(everything(), node.ordinal) for node in tasks()}

    moves = {name for name, it in found.items() if it is not None and isinstance(it.then, Move)}
    ends = {name for name, it in found.items() if it is not None and isinstance(it.then, Finish)}

    assert {"first", "join", "x", "y", "in_sub"} == moves
    assert {"end"} == ends
