"""What happened at a claimed cursor, where no body has to run to know it."""

from __future__ import annotations

import json
from typing import Final

from sayiir_core.engine.outcome import (
    Entered,
    Expired,
    Failed,
    Outcome,
    Signalled,
    Started,
    Woken,
)
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.head import CursorState
from sayiir_core.snapshot.reference import StepRef
from sayiir_core.snapshot.step import ErrorRecord
from sayiir_core.workflow.node import END, SignalNode
from sayiir_runtime.runner.place import place_of
from sayiir_runtime.runner.program import Program

MAX_DELIVERIES: Final = 5
# Bound once, because every claim asks: finding a member in its enum takes several times as long.
_READY: Final = CursorState.READY


def outcome_without_body(program: Program, claim: Claim) -> Outcome | None:
    """Return the outcome at a control node, or of a task that must not start yet or any more.

    None means that the body has to run.
    """
    cursor = claim.cursor
    if cursor.state is not _READY:
        match cursor.state:
            case CursorState.SLEEPING:
                return Woken()
            case CursorState.SIGNALLED:
                return Signalled()
            case CursorState.AWAITING:
                return Expired(_default_of(program, claim))
            case _:
                pass
    if cursor.node == END or not program.is_task(cursor.node):
        return Entered()
    if len(cursor.deaths) >= MAX_DELIVERIES:
        return Failed(error=_died(program, claim), retryable=False)
    if cursor.deaths and cursor.started_at is None:
        return Started()
    return None


def _default_of(program: Program, claim: Claim) -> bytes | None:
    cursor, codec = claim.cursor, program.codec
    node = program.definition.nodes[cursor.node]
    assert isinstance(node, SignalNode)
    if node.on_timeout is None:
        return None
    place = place_of(claim.lease, StepRef(cursor.node, cursor.turns)) if codec.binds else None
    return codec.encode(json.loads(node.on_timeout), place)


def _died(program: Program, claim: Claim) -> ErrorRecord:
    cursor = claim.cursor
    path = program.definition.nodes[cursor.node].path
    return ErrorRecord(
        path=path,
        type="WorkerDiedError",
        message=f"task {path!r} of instance {claim.lease.instance_id!r} was delivered "
        f"{len(cursor.deaths)} times and its process died each time (sessions "
        f"{', '.join(cursor.deaths)}); find what kills the process, then retry",
    )
