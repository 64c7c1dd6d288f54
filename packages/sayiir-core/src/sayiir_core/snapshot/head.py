"""The head: what is live of an instance, its header and its cursors.

A head never grows with the number of finished steps. A store may hand ``apply`` a *partial* head
that holds just the rows which the checkpoint's effects decide on (see ``needs``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sayiir_core.ids import Index, InstanceId, RunId, SessionId
from sayiir_core.snapshot.reference import Ref
from sayiir_core.snapshot.step import ErrorRecord
from sayiir_core.workflow.definition import DefinitionIdentity


class InstanceState(StrEnum):
    """The stored state. Anything but RUNNING takes effect at once and holds every cursor."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class CursorState(StrEnum):
    """What a cursor waits for at its node."""

    READY = "ready"
    SLEEPING = "sleeping"
    AWAITING = "awaiting"
    SIGNALLED = "signalled"
    JOINING = "joining"


class CursorKey(NamedTuple):
    """Name a cursor within its run: the line that it walks, and the index of that line."""

    scope: int
    turns: Index


class Lane(NamedTuple):
    """Name a queue: a definition, and the canonical tag set of the tasks in it."""

    identity: DefinitionIdentity
    group: str


# Open to positional arguments, because every run pays for keywords.
@dataclass(slots=True)
class Cursor:
    """One point of execution.

    ``scope`` and ``index`` are its key. ``available_at`` is the instant from which it can be
    claimed: now for a ready one, the due time of a delay, a back-off or a deadline; None if only
    an event can wake it. ``attempt`` is the number of the last recorded attempt here,
    ``fresh_from`` the one that the retry policy counts from. ``deaths`` names the sessions that
    ended while they held it. ``group`` and ``priority`` are those of the node, copied so that a
    store needs no definition. After a failed attempt other sessions than ``avoid`` are preferred
    until ``avoid_until``.
    """

    scope: int
    index: Index
    node: int
    turns: Index
    input: Ref
    group: str = ""
    priority: int = 3
    state: CursorState = CursorState.READY
    available_at: datetime | None = None
    attempt: int = 0
    fresh_from: int = 0
    deaths: tuple[SessionId, ...] = ()
    signal: str | None = None
    delivered: int | None = None
    pending: int = 0
    held: bool = False
    session: SessionId | None = None
    claim_no: int = 0
    fence: int = 0
    seq: int = 0
    started_at: datetime | None = None
    avoid: SessionId | None = None
    avoid_until: datetime | None = None

    @property
    def key(self) -> CursorKey:
        """Return the key within the run."""
        return CursorKey(self.scope, self.index)

    def copy(self) -> Cursor:
        """Return an independent copy (all fields are immutable)."""
        # Spelled out: every claim pays it, and a loop over the fields takes four times as long.
        new = object.__new__(Cursor)
        new.scope = self.scope
        new.index = self.index
        new.node = self.node
        new.turns = self.turns
        new.input = self.input
        new.group = self.group
        new.priority = self.priority
        new.state = self.state
        new.available_at = self.available_at
        new.attempt = self.attempt
        new.fresh_from = self.fresh_from
        new.deaths = self.deaths
        new.signal = self.signal
        new.delivered = self.delivered
        new.pending = self.pending
        new.held = self.held
        new.session = self.session
        new.claim_no = self.claim_no
        new.fence = self.fence
        new.seq = self.seq
        new.started_at = self.started_at
        new.avoid = self.avoid
        new.avoid_until = self.avoid_until
        return new

    def claimable(self, now: datetime) -> bool:
        """Tell whether a session may claim it now."""
        return (
            self.session is None
            and not self.held
            and self.available_at is not None
            and self.available_at <= now
        )

    def avoids(self, session: SessionId, now: datetime) -> bool:
        """Tell whether it should be left to other sessions for a moment, if any serve its lane."""
        return self.avoid == session and self.avoid_until is not None and now < self.avoid_until


# Open to positional arguments, because every run pays for keywords.
@dataclass(slots=True)
class Header:
    """What is known of a run as a whole.

    ``reason`` and ``requested_by`` belong to the last cancel or pause. ``ended_by`` is the guard
    (fence, seq) of the checkpoint that completed the run, so that its repetition is recognised.
    """

    instance_id: InstanceId
    run_id: RunId
    identity: DefinitionIdentity
    policy_fingerprint: str
    created_at: datetime
    state: InstanceState = InstanceState.RUNNING
    owner: SessionId | None = None
    error: ErrorRecord | None = None
    reason: str | None = None
    requested_by: str | None = None
    output: Ref | None = None
    labels: dict[str, str] = field(default_factory=dict[str, str])
    trace_parent: str | None = None
    finished_at: datetime | None = None
    ended_by: tuple[int, int] | None = None

    def copy(self) -> Header:
        """Return an independent copy."""
        new = object.__new__(Header)
        new.instance_id = self.instance_id
        new.run_id = self.run_id
        new.identity = self.identity
        new.policy_fingerprint = self.policy_fingerprint
        new.created_at = self.created_at
        new.state = self.state
        new.owner = self.owner
        new.error = self.error
        new.reason = self.reason
        new.requested_by = self.requested_by
        new.output = self.output
        new.labels = dict(self.labels)
        new.trace_parent = self.trace_parent
        new.finished_at = self.finished_at
        new.ended_by = self.ended_by
        return new


@dataclass(slots=True, kw_only=True)
class PendingSignal:
    """A signal that nothing has consumed yet; ``seq`` orders the inbox of an instance id."""

    seq: int
    name: str
    received_at: datetime


@dataclass(slots=True)
class Head:
    """A header with its live cursors and what decisions about them need.

    ``inbox`` holds pending signals in order. ``arrived`` maps finished branches to the guard
    that finished them; only the repetition of an arrival reads it.
    """

    header: Header
    cursors: dict[CursorKey, Cursor] = field(default_factory=dict[CursorKey, Cursor])
    inbox: list[PendingSignal] = field(default_factory=list[PendingSignal])
    arrived: dict[CursorKey, tuple[int, int]] = field(
        default_factory=dict[CursorKey, tuple[int, int]]
    )

    @property
    def executing(self) -> bool:
        """Tell whether a session holds any cursor; without one the stored state is final."""
        return any(cursor.session is not None for cursor in self.cursors.values())
