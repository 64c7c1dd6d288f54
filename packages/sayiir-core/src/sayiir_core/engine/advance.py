"""The engine: from what happened at a cursor to one checkpoint.

``advance`` is pure. It needs the definition, one claim and one outcome, never the history, so its
cost does not depend on how much has run. Every driver calls it and nothing else decides what
comes next.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, assert_never

from sayiir_core.engine.onward import arrival, straight
from sayiir_core.engine.outcome import (
    Entered,
    Expired,
    Failed,
    Outcome,
    Signalled,
    Started,
    Succeeded,
    TimedOut,
    Woken,
)
from sayiir_core.engine.transition import check_outcome
from sayiir_core.engine.walk import Walk, passed_through
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.effect import (
    AwaitSignal,
    Checkpoint,
    Effect,
    Fail,
    Record,
    Retry,
    Start,
)
from sayiir_core.snapshot.head import Cursor, CursorState
from sayiir_core.snapshot.reference import SignalRef, StepRef
from sayiir_core.snapshot.step import ErrorRecord, StepRecord, StepStatus
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.node import (
    END,
    DelayNode,
    LoopNode,
    RouteNode,
    SignalNode,
    TaskNode,
)

# Bound once, because every step asks: finding a member in its enum takes several times as long.
_READY: Final = CursorState.READY
_SUCCEEDED: Final = StepStatus.SUCCEEDED


def advance(
    definition: Definition, claim: Claim, outcome: Outcome, *, now: datetime, keep: bool = True
) -> Checkpoint:
    """Return the checkpoint for an outcome; ``now`` decides delays and back-offs only.

    Raises ``IllegalOutcomeError`` for an outcome that cannot happen where the cursor stands.
    """
    cursor = claim.cursor
    if type(outcome) is Succeeded and cursor.state is _READY:
        effects = _succeeded(definition, cursor, outcome, now)
    else:
        check_outcome(definition, cursor, outcome)
        effects = _effects(definition, claim, outcome, now)
    return Checkpoint(claim.lease, cursor.seq, effects, keep)


def _effects(
    definition: Definition, claim: Claim, outcome: Outcome, now: datetime
) -> tuple[Effect, ...]:
    cursor = claim.cursor
    match outcome:
        case Succeeded():
            return _succeeded(definition, cursor, outcome, now)
        case Failed():
            return _failed(definition, claim, outcome, now)
        case TimedOut():
            return _failed(definition, claim, outcome, now)
        case Started():
            return (Start(),)
        case Entered():
            return _entered(definition, cursor, now)
        case Woken():
            return _woken(definition, cursor, now)
        case Signalled():
            return _signalled(definition, cursor, now)
        case Expired():
            return _expired(definition, cursor, outcome, now)
        case _:
            assert_never(outcome)


def _succeeded(
    definition: Definition, cursor: Cursor, outcome: Succeeded, now: datetime
) -> tuple[Effect, ...]:
    node = definition.task(cursor.node)
    step = StepRecord(
        cursor.node,
        cursor.turns,
        cursor.attempt + 1,
        _SUCCEEDED,
        outcome.output,
        None,
        outcome.verdict,
        None,
        outcome.started_at,
        outcome.finished_at,
    )
    value = StepRef(cursor.node, cursor.turns)
    then = straight(definition, node, cursor.turns, value) or arrival(
        definition, node, cursor.turns, value
    )
    if then is not None:
        return Record(step), then
    if node.is_key:
        return _chosen(definition, cursor, node, step, outcome.key, now)
    walk = Walk(definition, turns=cursor.turns, value=value, now=now, verdict=outcome.verdict)
    walk.behind(node)
    return Record(step), *walk.effects


def _chosen(
    definition: Definition,
    cursor: Cursor,
    node: TaskNode,
    step: StepRecord,
    key: str | None,
    now: datetime,
) -> tuple[Effect, ...]:
    route = definition.nodes[definition.scopes[node.scope].owner]
    assert isinstance(route, RouteNode)
    arm = route.arm(key)
    if arm is None:
        error = ErrorRecord(
            path=node.path,
            type="RouteError",
            message=f"route {route.path!r} has no branch for key {key!r}; declare it in "
            f"keys= with .branch({key!r}, ...), or add .default_branch(...)",
        )
        # Not recorded as succeeded: after a retry with mended code the key is computed again.
        step.status, step.output, step.error = StepStatus.FAILED, None, error
        return Record(step), Fail(error)
    walk = Walk(definition, turns=cursor.turns, value=cursor.input, now=now)
    walk.into(definition.scopes[arm])
    return Record(step), *walk.effects


def _failed(
    definition: Definition, claim: Claim, outcome: Failed | TimedOut, now: datetime
) -> tuple[Effect, ...]:
    cursor = claim.cursor
    node = definition.task(cursor.node)
    attempt = cursor.attempt + 1
    step = StepRecord(
        node=cursor.node,
        turns=cursor.turns,
        attempt=attempt,
        status=StepStatus.TIMED_OUT if isinstance(outcome, TimedOut) else StepStatus.FAILED,
        error=outcome.error,
        started_at=outcome.started_at,
        finished_at=outcome.finished_at,
    )
    tries = attempt - cursor.fresh_from
    policy = node.policy.retry
    retryable = isinstance(outcome, TimedOut) or outcome.retryable
    if policy is not None and retryable and tries <= policy.max_retries:
        salt = f"{claim.lease.run_id}/{node.ordinal}/{cursor.turns}/{attempt}"
        return Record(step), Retry(now + policy.delay_before(tries, salt=salt))
    return Record(step), Fail(outcome.error)


def _entered(definition: Definition, cursor: Cursor, now: datetime) -> tuple[Effect, ...]:
    walk = Walk(definition, turns=cursor.turns, value=cursor.input, now=now)
    if cursor.node == END:
        walk.finish()
        return tuple(walk.effects)
    node = definition.nodes[cursor.node]
    if isinstance(node, SignalNode):
        # No move: after a missed deadline and a retry the attempts recorded here go on counting.
        return (AwaitSignal(node.signal_name, node.timeout),)
    if isinstance(node, LoopNode) and len(cursor.turns) > definition.scopes[node.scope].depth:
        walk.between_turns(node)
    else:
        walk.at(node)
    return tuple(walk.effects)


def _woken(definition: Definition, cursor: Cursor, now: datetime) -> tuple[Effect, ...]:
    node = definition.nodes[cursor.node]
    assert isinstance(node, DelayNode)
    walk = Walk(definition, turns=cursor.turns, value=cursor.input, now=now)
    walk.behind(node)
    return Record(passed_through(node, cursor.turns, cursor.input)), *walk.effects


def _signalled(definition: Definition, cursor: Cursor, now: datetime) -> tuple[Effect, ...]:
    assert cursor.delivered is not None
    value = SignalRef(cursor.delivered)
    step = StepRecord(
        node=cursor.node,
        turns=cursor.turns,
        attempt=cursor.attempt + 1,
        status=StepStatus.SUCCEEDED,
        source=value,
    )
    walk = Walk(definition, turns=cursor.turns, value=value, now=now)
    walk.behind(definition.nodes[cursor.node])
    return Record(step), *walk.effects


def _expired(
    definition: Definition, cursor: Cursor, outcome: Expired, now: datetime
) -> tuple[Effect, ...]:
    node = definition.nodes[cursor.node]
    assert isinstance(node, SignalNode)
    step = StepRecord(
        node=cursor.node,
        turns=cursor.turns,
        attempt=cursor.attempt + 1,
        status=StepStatus.SUCCEEDED,
        output=outcome.default,
    )
    if outcome.default is None:
        error = ErrorRecord(
            path=node.path,
            type="SignalTimeoutError",
            message=f"signal {node.signal_name!r} did not arrive at {node.path!r} within "
            f"{node.timeout}; retry to wait again, or declare on_timeout=",
        )
        step.status, step.error = StepStatus.TIMED_OUT, error
        return Record(step), Fail(error)
    walk = Walk(definition, turns=cursor.turns, value=StepRef(cursor.node, cursor.turns), now=now)
    walk.behind(node)
    return Record(step), *walk.effects
