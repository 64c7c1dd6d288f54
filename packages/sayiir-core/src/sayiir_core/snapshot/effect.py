"""Checkpoints: a guard, and a closed list of effects.

An effect says what happens to the guarded cursor. Effects are applied in order; ``Record`` and
``Bind`` add rows, ``Move`` sets the position, and at most one of the others follows, which says
how the cursor rests there. See ``apply`` for what they mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sayiir_core.ids import Index, InstanceId, RunId, SessionId
from sayiir_core.snapshot.head import CursorKey
from sayiir_core.snapshot.reference import Ref
from sayiir_core.snapshot.step import ErrorRecord, StepRecord

# All plain instead of frozen, like all that is made once per step: see reference.py.


@dataclass(slots=True)
class Start:
    """Mark the body as started, so that its death is charged to it and not to its neighbours."""


@dataclass(slots=True)
class Record:
    """Append an attempt."""

    step: StepRecord


@dataclass(slots=True)
class Bind:
    """Write where the value of a finished arm, body or sub-flow stands."""

    scope: int
    index: Index
    value: Ref


@dataclass(slots=True)
class Move:
    """Take a new position, ready at once, with attempts counted afresh."""

    node: int
    turns: Index
    input: Ref
    group: str
    priority: int


@dataclass(slots=True)
class Retry:
    """Stay, and be ready again at an instant."""

    at: datetime


@dataclass(slots=True)
class Sleep:
    """Wait for an instant."""

    until: datetime


@dataclass(slots=True)
class AwaitSignal:
    """Wait for a signal; the store sets the deadline by its own clock."""

    name: str
    timeout: timedelta | None


@dataclass(slots=True)
class Child:
    """Where a spawned cursor starts: its branch, and its first node."""

    scope: int
    node: int
    turns: Index
    group: str
    priority: int


@dataclass(slots=True)
class Spawn:
    """Add one cursor per branch, all with one input, and wait for them."""

    children: tuple[Child, ...]
    input: Ref


@dataclass(slots=True)
class Arrive:
    """End this branch: write its scope row, and count the waiting parent down."""

    value: Ref
    parent: CursorKey


@dataclass(slots=True)
class Finish:
    """Complete the run with a value."""

    value: Ref


@dataclass(slots=True)
class Fail:
    """Fail the run; the first failure is the instance's error."""

    error: ErrorRecord


Effect = Start | Record | Bind | Move | Retry | Sleep | AwaitSignal | Spawn | Arrive | Finish | Fail
"""The closed union of effects."""


@dataclass(slots=True)
class Lease:
    """The constant half of a guard: which cursor, held by whom, under which fence."""

    instance_id: InstanceId
    run_id: RunId
    scope: int
    index: Index
    session: SessionId
    fence: int

    @property
    def key(self) -> CursorKey:
        """Return the cursor's key within the run."""
        return CursorKey(self.scope, self.index)


@dataclass(slots=True)
class Checkpoint:
    """One atomic write: the guard (lease and seq) and the effects.

    With ``keep`` the writer goes on with the cursor if it is ready afterwards, and takes a join
    that its arrival completes; without, the cursor is released. ``take`` names, by their scopes,
    the branches of its fork that the writer takes; the others are queued. Both are wishes of the
    writer and not part of the effects, which checkpoints of other runs may share.
    """

    lease: Lease
    seq: int
    effects: tuple[Effect, ...]
    keep: bool = True
    take: frozenset[int] = frozenset()
