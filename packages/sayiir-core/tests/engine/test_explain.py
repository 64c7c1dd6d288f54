"""Every condition of a live instance has a sentence and a next action."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayiir_core.engine.condition import Condition
from sayiir_core.engine.explain import Explanation, explain
from sayiir_core.snapshot import control
from sayiir_core.snapshot.head import Cursor, CursorState, Head, Header, InstanceState, Lane
from sayiir_core.snapshot.reference import INPUT
from sayiir_core.snapshot.step import ErrorRecord
from sayiir_core.workflow.definition import Definition, DefinitionIdentity
from sayiir_core.workflow.node import (
    END,
    NO_OWNER,
    ROOT,
    Scope,
    ScopeKind,
    TaskNode,
    TaskPolicy,
)

NOW = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)
EARLIER = NOW - timedelta(seconds=90)
LATER = NOW + timedelta(seconds=90)
ORDER = DefinitionIdentity("order", "h")


@dataclass(frozen=True)
class Facts:
    """A session as it is seen."""

    worker_id: str = "w1"
    host: str = "alpha"
    pid: int = 42
    ttl: timedelta = timedelta(seconds=30)
    renewed_at: datetime = NOW - timedelta(seconds=3)
    alive: bool = True
    lanes: tuple[Lane, ...] = (Lane(ORDER, ""), Lane(ORDER, "gpu"))


def head_with(*cursors: Cursor, **header: Any) -> Head:
    """Return a running head with these cursors, or with another header."""
    known: dict[str, Any] = {
        "instance_id": "order-1",
        "run_id": "r",
        "identity": ORDER,
        "policy_fingerprint": "p",
        "created_at": EARLIER,
    }
    return Head(
        header=Header(**{**known, **header}), cursors={cursor.key: cursor for cursor in cursors}
    )


def cursor_at(**fields: Any) -> Cursor:
    """Return a cursor of the root scope at node 4, ready unless other fields are given."""
    known: dict[str, Any] = {
        "scope": 0,
        "index": (),
        "node": 4,
        "turns": (),
        "input": INPUT,
        "available_at": EARLIER,
    }
    return Cursor(**{**known, **fields})


CURSORS = [
    (
        "a ready cursor",
        cursor_at(),
        Condition.CLAIMABLE,
        "ready since 2026-01-02 11:58:30 UTC; claimable by any worker",
        "resume_workflow(workflow, 'order-1', backend)",
    ),
    (
        "a ready cursor of tagged tasks",
        cursor_at(group="gpu"),
        Condition.CLAIMABLE,
        "claimable by any worker for tags gpu",
        "wait for a worker",
    ),
    (
        "a cursor whose worker died twice",
        cursor_at(deaths=("s1", "s2")),
        Condition.CLAIMABLE,
        "delivered 2 times to a worker that died: s1, s2",
        "wait for a worker",
    ),
    (
        "a cursor in back-off",
        cursor_at(available_at=LATER, attempt=2),
        Condition.DUE,
        "due again after attempt 2 at 2026-01-02 12:01:30 UTC (in 90.0 s)",
        "wait",
    ),
    (
        "a delay",
        cursor_at(state=CursorState.SLEEPING, available_at=NOW + timedelta(days=3)),
        Condition.DUE,
        "delayed until 2026-01-05 12:00:00 UTC (in 3.0 d)",
        "wait",
    ),
    (
        "a delay that is over",
        cursor_at(state=CursorState.SLEEPING),
        Condition.CLAIMABLE,
        "its delay is over since 2026-01-02 11:58:30 UTC",
        "wait for a worker",
    ),
    (
        "a wait without a deadline",
        cursor_at(state=CursorState.AWAITING, available_at=None, signal="approved"),
        Condition.AWAITING,
        "waits for signal 'approved'",
        "send_signal('order-1', 'approved', payload, backend)",
    ),
    (
        "a wait with a deadline",
        cursor_at(state=CursorState.AWAITING, available_at=LATER, signal="approved"),
        Condition.AWAITING,
        "waits for signal 'approved', at the latest until 2026-01-02 12:01:30 UTC (in 90.0 s)",
        "send_signal('order-1', 'approved', payload, backend)",
    ),
    (
        "a missed deadline",
        cursor_at(state=CursorState.AWAITING, signal="approved"),
        Condition.CLAIMABLE,
        "the deadline for signal 'approved' has passed since 2026-01-02 11:58:30 UTC",
        "wait for a worker",
    ),
    (
        "a delivered signal",
        cursor_at(state=CursorState.SIGNALLED, delivered=1),
        Condition.CLAIMABLE,
        "its signal has arrived since 2026-01-02 11:58:30 UTC",
        "wait for a worker",
    ),
    (
        "a join",
        cursor_at(state=CursorState.JOINING, available_at=None, pending=3),
        Condition.JOINING,
        "joined on 3 live branches",
        "branches",
    ),
    (
        "a join on the last branch",
        cursor_at(state=CursorState.JOINING, available_at=None, pending=1),
        Condition.JOINING,
        "joined on 1 live branch",
        "branches",
    ),
    (
        "a claimed cursor",
        cursor_at(session="live"),
        Condition.RESERVED,
        "reserved or executing under worker w1 (process 42 on alpha), last heard of 3.0 s ago",
        "next checkpoint",
    ),
    (
        "a body that is known to run",
        cursor_at(session="live", started_at=EARLIER),
        Condition.EXECUTING,
        "executing since 2026-01-02 11:58:30 UTC under worker w1",
        "next checkpoint",
    ),
    (
        "a cursor of a silent session",
        cursor_at(session="silent"),
        Condition.SILENT,
        "which has been silent for 90.0 s, longer than its lease of 30.0 s",
        "look after that process",
    ),
    (
        "a cursor of an ended session",
        cursor_at(session="ended"),
        Condition.SILENT,
        "whose session has ended",
        "takes over",
    ),
    (
        "a cursor of an unknown session",
        cursor_at(session="s9"),
        Condition.RESERVED,
        "reserved or executing under session s9",
        "next checkpoint",
    ),
]

SESSIONS = {
    "live": Facts(),
    "silent": Facts(renewed_at=EARLIER),
    "ended": Facts(alive=False),
}


@pytest.mark.parametrize(
    ("cursor", "condition", "sentence", "action"),
    [case[1:] for case in CURSORS],
    ids=[case[0] for case in CURSORS],
)
def test_a_cursor_of_a_running_instance_is_explained(
    cursor: Cursor, condition: Condition, sentence: str, action: str
) -> None:
    """Say what it waits for, and what helps."""
    (explanation,) = explain(head_with(cursor), now=NOW, sessions=SESSIONS)

    assert "node 4" == explanation.path
    assert condition is explanation.condition
    assert sentence in explanation.sentence
    assert action in explanation.action


def test_a_cursor_of_an_owned_instance_waits_for_its_runner() -> None:
    """Name the owner, by its session if no more is known."""
    head = head_with(cursor_at(), owner="live")

    (known,) = explain(head, now=NOW, sessions=SESSIONS)
    (unknown,) = explain(head, now=NOW)

    assert Condition.OWNED is known.condition
    assert "reserved for the runner w1 on alpha, which owns the instance" in known.sentence
    assert "reserved for the runner session live" in unknown.sentence


def test_a_ready_cursor_without_any_live_worker_says_so() -> None:
    """Only if sessions are given, and all of them are silent or ended."""
    head = head_with(cursor_at(group="gpu"))

    (nobody,) = explain(head, now=NOW, sessions={})
    (dead,) = explain(head, now=NOW, sessions={k: SESSIONS[k] for k in ("silent", "ended")})
    (not_asked,) = explain(head, now=NOW)

    assert [Condition.UNSERVED] * 2 == [nobody.condition, dead.condition]
    assert "no live worker serves lane order@h for tags gpu" in dead.sentence
    assert "start a worker" in dead.action
    assert Condition.CLAIMABLE is not_asked.condition


def test_a_live_worker_of_other_lanes_does_not_serve_a_cursor() -> None:
    """A runner's session has no lanes; a worker may lack the tag or know another version."""
    others = [(), (Lane(ORDER, ""),), (Lane(DefinitionIdentity("order", "i"), "gpu"),)]
    mine = (Lane(ORDER, "gpu"),)
    head = head_with(cursor_at(group="gpu"))

    unserved = [explain(head, now=NOW, sessions={"s": Facts(lanes=lanes)}) for lanes in others]
    (served,) = explain(head, now=NOW, sessions={"s": Facts(lanes=mine)})

    assert [Condition.UNSERVED] * 3 == [each.condition for (each,) in unserved]
    assert Condition.CLAIMABLE is served.condition
    assert "claimable by any worker for tags gpu" in served.sentence


def test_a_silent_owner_is_told_by_the_cursor_that_it_holds() -> None:
    """The instance is not held up by a dead runner without a word."""
    head = head_with(cursor_at(session="silent"), owner="silent")

    (explanation,) = explain(head, now=NOW, sessions=SESSIONS)

    assert Condition.SILENT is explanation.condition
    assert "resume_workflow(workflow, 'order-1', backend)" in explanation.action


def test_a_paused_instance_is_explained_as_a_whole() -> None:
    """Say who asked and why; its resting cursors need no word of their own."""
    head = head_with(cursor_at())
    control.pause(head, reason="stocktaking", by="eva")

    explanations = explain(head, now=NOW)

    assert [
        Explanation(
            "",
            Condition.PAUSED,
            "held by a pause by eva: stocktaking",
            "call unpause_workflow('order-1', backend)",
        )
    ] == explanations


def test_a_cancelled_instance_is_explained_as_a_whole() -> None:
    """Say when, by whom and why."""
    head = head_with(cursor_at())
    control.cancel(head, reason=None, by="eva", now=NOW)

    (explanation,) = explain(head, now=NOW)

    assert Condition.CANCELLED is explanation.condition
    assert "cancelled at 2026-01-02 12:00:00 UTC by eva" == explanation.sentence


def test_a_failed_instance_names_the_place_and_the_error() -> None:
    """The action is to mend and retry."""
    error = ErrorRecord(path="fork_0/charge", type="ValueError", message="bad")
    state = InstanceState.FAILED
    head = head_with(cursor_at(held=True), state=state, error=error, finished_at=NOW)

    (explanation,) = explain(head, now=NOW)

    assert Condition.FAILED is explanation.condition
    assert "of 'fork_0/charge': ValueError: bad" in explanation.sentence
    assert "retry_workflow(workflow, 'order-1', backend)" in explanation.action


def test_a_completed_instance_needs_nothing() -> None:
    """It has no cursor left, and is explained all the same."""
    head = head_with(state=InstanceState.COMPLETED, finished_at=NOW)

    (explanation,) = explain(head, now=NOW)

    assert Condition.COMPLETED is explanation.condition
    assert "2026-01-02 12:00:00 UTC" in explanation.sentence
    assert explanation.action.startswith("nothing")


@pytest.mark.parametrize("state", ["paused", "cancelled", "failed"])
def test_a_body_that_still_runs_in_a_held_instance_is_stopping(state: str) -> None:
    """The whole comes first, then each cursor that a session still holds."""
    running = cursor_at(scope=2, held=True, session="live", started_at=EARLIER)
    head = head_with(cursor_at(held=True), running, state=InstanceState(state))

    whole, stopping = explain(head, now=NOW, sessions=SESSIONS)

    assert state == whole.condition
    assert Condition.STOPPING is stopping.condition
    assert "worker w1 (process 42 on alpha), last heard of 3.0 s ago" in stopping.sentence


def test_places_are_named_by_path_and_turns() -> None:
    """With the definition, the path of the node; behind the last node, the end."""
    at_work = cursor_at(node=0, turns=(1, 2))
    at_end = cursor_at(scope=1, node=END)

    explanations = explain(head_with(at_work, at_end), DEFINITION, now=NOW)

    assert ["loop_0/charge[1][2]", "end"] == [it.path for it in explanations]


instants = st.none() | st.sampled_from([EARLIER, NOW, LATER])


@st.composite
def possible_cursors(draw: st.DrawFn, scope: int) -> Cursor:
    """Draw a cursor such as commits and requests can leave behind."""
    state = draw(st.sampled_from(CursorState))
    due = draw(st.sampled_from([EARLIER, NOW, LATER]))
    if state is CursorState.JOINING:
        return cursor_at(scope=scope, state=state, available_at=None, pending=draw(st.integers(1)))
    awaiting = state is CursorState.AWAITING
    return cursor_at(
        scope=scope,
        state=state,
        available_at=draw(instants) if awaiting else due,
        signal="go" if awaiting else None,
        session=draw(st.none() | st.sampled_from([*SESSIONS, "unknown"])),
        started_at=draw(instants),
        attempt=draw(st.integers(0, 3)),
        deaths=draw(st.lists(st.just("s"), max_size=3).map(tuple)),
    )


@given(
    st.lists(st.integers(0, 9), unique=True, max_size=4).flatmap(
        lambda scopes: st.tuples(*(possible_cursors(scope) for scope in scopes))
    ),
    st.sampled_from(InstanceState),
    st.none() | st.sampled_from([*SESSIONS, "unknown"]),
    st.sampled_from([None, {}, SESSIONS]),
)
def test_nothing_is_silent(
    cursors: tuple[Cursor, ...],
    state: InstanceState,
    owner: Any,
    sessions: Any,
) -> None:
    """Law 5: whatever the state, everything has a sentence and a next action."""
    held = state is not InstanceState.RUNNING
    head = head_with(*(replace(it, held=held) for it in cursors), state=state, owner=owner)

    explanations = explain(head, now=NOW, sessions=sessions)

    executing = sum(1 for cursor in cursors if cursor.session is not None)
    assert (1 + executing if held else len(cursors)) == len(explanations)
    assert all(it.sentence and it.action for it in explanations)


DEFINITION = Definition(
    workflow_id="order",
    structure_hash="h",
    policy_fingerprint="p",
    nodes=(
        TaskNode(
            ordinal=0,
            id="charge",
            path="loop_0/charge",
            scope=ROOT,
            next=END,
            reference="shop:charge",
            version=None,
            policy=TaskPolicy(),
        ),
    ),
    scopes=(
        Scope(
            ordinal=ROOT,
            kind=ScopeKind.ROOT,
            owner=NO_OWNER,
            name="",
            path="",
            first=0,
            depth=0,
            line=ROOT,
            line_depth=0,
        ),
    ),
)
"""One task; a definition is asked for paths only."""
