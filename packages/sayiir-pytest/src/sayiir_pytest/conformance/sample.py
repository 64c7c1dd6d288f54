"""Small definitions, runs and effects, built by hand, for tests that look at one store.

A store never looks into a definition, so these need not make sense to the engine: nodes and
scopes are just numbers here, and an output is just bytes.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from sayiir_core.ids import Index, RunId, SessionId, WorkflowId
from sayiir_core.snapshot.effect import (
    Child,
    Effect,
    Fail,
    Move,
    Record,
    Spawn,
)
from sayiir_core.snapshot.head import CursorKey
from sayiir_core.snapshot.reference import INPUT, Ref, StepRef
from sayiir_core.snapshot.step import ErrorRecord, StepRecord, StepStatus
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.node import (
    END,
    NO_OWNER,
    ROOT,
    Scope,
    ScopeKind,
    TaskNode,
    TaskPolicy,
)

ERROR = ErrorRecord(
    path="step_0",
    type="ValueError",
    message="bad · schlecht · 悪い",
    traceback='Traceback (most recent call last):\n  File "x.py", line 1\nValueError: bad\n',
)
"""An error with text outside of ASCII."""


def linear(
    workflow_id: str, *, tasks: int = 3, structure: str = "0" * 64, fingerprint: str = "f" * 64
) -> Definition:
    """Return a line of tasks ``step_0``, ``step_1`` and so on."""
    nodes = tuple(
        TaskNode(
            ordinal=ordinal,
            id=f"step_{ordinal}",
            path=f"step_{ordinal}",
            scope=ROOT,
            next=ordinal + 1 if ordinal + 1 < tasks else END,
            reference=f"sample:step_{ordinal}",
            version=None,
            policy=TaskPolicy(),
        )
        for ordinal in range(tasks)
    )
    root = Scope(
        ordinal=ROOT,
        kind=ScopeKind.ROOT,
        owner=NO_OWNER,
        name="",
        path="",
        first=0,
        depth=0,
        line=ROOT,
        line_depth=0,
    )
    return Definition(
        workflow_id=WorkflowId(workflow_id),
        structure_hash=structure,
        policy_fingerprint=fingerprint,
        nodes=nodes,
        scopes=(root,),
        metadata='{"team": "payments"}',
    )


def succeeded(
    node: int = 0,
    *,
    turns: Index = (),
    output: bytes | None = b"out",
    attempt: int = 1,
    source: Ref | None = None,
    at: datetime | None = None,
) -> Record:
    """Return the record of an attempt that succeeded, with an output or a source."""
    return Record(
        StepRecord(
            node=node,
            turns=turns,
            attempt=attempt,
            status=StepStatus.SUCCEEDED,
            output=None if source is not None else output,
            source=source,
            started_at=at,
            finished_at=at,
        )
    )


def failed(
    node: int = 0,
    *,
    turns: Index = (),
    attempt: int = 1,
    error: ErrorRecord = ERROR,
    status: StepStatus = StepStatus.FAILED,
) -> Record:
    """Return the record of an attempt that failed."""
    return Record(StepRecord(node=node, turns=turns, attempt=attempt, status=status, error=error))


def move(
    node: int,
    *,
    turns: Index = (),
    to: Ref | None = None,
    group: str = "",
    priority: int = 3,
) -> Move:
    """Return the move to a node, whose input is by default the step before."""
    value = StepRef(max(node - 1, 0), turns) if to is None else to
    return Move(node, turns, value, group, priority)


def step(node: int = 0, *, output: bytes = b"out", turns: Index = ()) -> tuple[Effect, ...]:
    """Return the commonest checkpoint: a success recorded, and the move to the next node."""
    return succeeded(node, turns=turns, output=output), move(node + 1, turns=turns)


def give_up(node: int = 0, *, attempt: int = 1, error: ErrorRecord = ERROR) -> tuple[Effect, ...]:
    """Return the effects of a failure that is not retried."""
    return failed(node, attempt=attempt, error=error), Fail(error)


def spawn(*scopes: int, turns: Index = (), value: Ref = INPUT, group: str = "") -> Spawn:
    """Return a fork into branches; branch scope ``s`` starts at node ``10 * s``."""
    return Spawn(tuple(Child(scope, 10 * scope, turns, group, 3) for scope in scopes), value)


ROOT_KEY = CursorKey(ROOT, ())
"""The key of the cursor that walks the root scope."""

UNKNOWN_RUN = RunId(str(uuid.UUID(int=0)))
"""A run that is never created."""

NOBODY = SessionId("nobody")
"""A session that is never registered."""
