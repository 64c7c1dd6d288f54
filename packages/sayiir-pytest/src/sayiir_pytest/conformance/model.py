"""The model of a store: a dict of heads, changed in place by the core functions.

Slow, plain and single-threaded: it is what a store under test is compared with.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sayiir_core.ids import Index, InstanceId, RunId, RunKey, SessionId
from sayiir_core.ports.claims import Backlog
from sayiir_core.ports.clock import Clock
from sayiir_core.ports.instances import Created, Exists, NewInstance
from sayiir_core.snapshot import control
from sayiir_core.snapshot.answer import Answer, Claim, Lost, LostReason
from sayiir_core.snapshot.apply import apply
from sayiir_core.snapshot.birth import born
from sayiir_core.snapshot.effect import Checkpoint, Lease
from sayiir_core.snapshot.head import Cursor, CursorKey, Head, Header, Lane, PendingSignal
from sayiir_core.snapshot.inbox import expire
from sayiir_core.snapshot.motion import grant
from sayiir_core.snapshot.reference import Ref
from sayiir_core.snapshot.step import StepRow

_FINAL = frozenset({"completed", "failed", "cancelled"})
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class ModelSession:
    """A live session."""

    ttl: timedelta
    renewed_at: datetime
    steady_since: datetime
    lanes: frozenset[Lane]


@dataclass(slots=True)
class ModelInbox:
    """The signals of one instance id; ``pending`` is shared with the head."""

    pending: list[PendingSignal] = field(default_factory=list[PendingSignal])
    last: int = 0


class Model:
    """Keep everything in dicts."""

    def __init__(self, clock: Clock) -> None:
        """Start empty."""
        self.clock = clock
        self.heads: dict[InstanceId, Head] = {}
        self.inboxes: dict[InstanceId, ModelInbox] = {}
        self.sessions: dict[SessionId, ModelSession] = {}
        self.steps: dict[RunId, list[StepRow]] = {}
        self.scopes: dict[RunId, dict[tuple[int, Index], Ref]] = {}

    def inbox(self, instance_id: InstanceId) -> ModelInbox:
        """Return the inbox of an id, empty at first."""
        return self.inboxes.setdefault(instance_id, ModelInbox())

    def run(self, run: RunKey) -> Head | None:
        """Return the head of this very run, None if it was replaced or removed."""
        head = self.heads.get(run.instance_id)
        return head if head is not None and head.header.run_id == run.run_id else None

    # --- instances and checkpoints -----------------------------------------------------------

    def create(self, new: NewInstance) -> Created | Exists:
        """Create a run; its owner must be live."""
        existing = self.heads.get(new.instance_id)
        if existing is not None and not new.replace:
            return Exists(existing)
        inbox = self.inbox(new.instance_id)
        if existing is not None:
            inbox.pending.clear()
        header = Header(
            instance_id=new.instance_id,
            run_id=new.run_id,
            identity=new.identity,
            policy_fingerprint=new.policy_fingerprint,
            owner=new.owner,
            labels=dict(new.labels),
            trace_parent=new.trace_parent,
            created_at=self.clock.now(),
        )
        head, claim = born(header, node=new.node, group=new.group, priority=new.priority)
        head.inbox = inbox.pending
        self.heads[new.instance_id] = head
        self.steps[new.run_id] = []
        self.scopes[new.run_id] = {}
        return Created(head, claim)

    def commit(self, checkpoint: Checkpoint) -> Answer:
        """Apply one checkpoint."""
        head = self.heads.get(checkpoint.lease.instance_id)
        if head is None:
            return Lost(LostReason.GONE)
        applied = apply(head, checkpoint, self.clock.now())
        run_id = checkpoint.lease.run_id
        if applied.steps:
            self.steps[run_id].extend(applied.steps)
        for row in applied.scopes:
            self.scopes[run_id][row.scope, row.index] = row.value
        return applied.answer

    def prune(self, before: datetime) -> list[InstanceId]:
        """Remove what ended before an instant and return which instances."""
        gone = [
            instance_id
            for instance_id, head in self.heads.items()
            if head.header.state.value in _FINAL
            and head.header.finished_at is not None
            and head.header.finished_at < before
            and not head.executing
        ]
        for instance_id in gone:
            del self.heads[instance_id]
            self.inboxes.pop(instance_id, None)
        return gone

    # --- claims and ownership ------------------------------------------------------------------

    def due(self, session: SessionId, lanes: Collection[Lane]) -> list[tuple[Head, Cursor]]:
        """Return everything that a pool may claim now in the name of a session."""
        now = self.clock.now()
        return [
            (head, cursor)
            for head in self.heads.values()
            for cursor in control.due_for_pool(head, lanes, now)
            if not (cursor.avoids(session, now) and self._others_serve(head, cursor, session))
        ]

    def _others_serve(self, head: Head, cursor: Cursor, session: SessionId) -> bool:
        lane = Lane(head.header.identity, cursor.group)
        return any(it != session and lane in known.lanes for it, known in self.sessions.items())

    def next_due(self, lanes: Collection[Lane]) -> datetime | None:
        """Return when the first cursor is due that a pool can ever claim without an event."""
        due = [
            cursor.available_at
            for head in self.heads.values()
            for cursor in control.due_for_pool(head, lanes, _END_OF_TIME)
            if cursor.available_at is not None
        ]
        return min(due, default=None)

    def backlog(self, lanes: Collection[Lane], at_most: int) -> set[Backlog]:
        """Return what waits in each of these lanes, whomever it avoids."""
        found: set[Backlog] = set()
        for lane in lanes:
            due = [
                cursor.available_at
                for head in self.heads.values()
                for cursor in control.due_for_pool(head, [lane], self.clock.now())
                if cursor.available_at is not None
            ]
            found.add(Backlog(lane, min(len(due), at_most), min(due, default=None)))
        return found

    def due_for_owner(self, session: SessionId, run: RunKey) -> list[Cursor]:
        """Return what an owner may claim now of this run, the longest due first."""
        head = self.run(run)
        return [] if head is None else control.due_for_owner(head, session, self.clock.now())

    def disown(self, session: SessionId, run: RunKey) -> None:
        """End the ownership of this run."""
        head = self.run(run)
        if head is not None:
            control.disown(head, session)

    def grant(self, claim: Claim, claim_no: int) -> Claim:
        """Give the cursor of a store's claim to its session, as the store did."""
        head = self.heads[claim.lease.instance_id]
        return grant(head, head.cursors[claim.lease.key], claim.lease.session, claim_no)

    def held(self, session: SessionId | None = None) -> list[tuple[Head, Cursor]]:
        """Return every cursor that a session holds, or that any session holds."""
        return [
            (head, cursor)
            for head in self.heads.values()
            for cursor in head.cursors.values()
            if cursor.session is not None and session in {None, cursor.session}
        ]

    def lease(self, head: Head, cursor: Cursor) -> Lease:
        """Return the lease under which a held cursor stands."""
        assert cursor.session is not None
        return Lease(
            instance_id=head.header.instance_id,
            run_id=head.header.run_id,
            scope=cursor.scope,
            index=cursor.index,
            session=cursor.session,
            fence=cursor.fence,
        )

    def release(self, leases: Sequence[Lease]) -> None:
        """Give back the cursors whose leases still hold."""
        for head, cursor in self.held():
            if self.lease(head, cursor) in leases:
                cursor.session = cursor.started_at = None

    def release_claim(self, session: SessionId, claim_no: int) -> None:
        """Give back what one call claimed."""
        for _, cursor in self.held(session):
            if cursor.claim_no == claim_no:
                cursor.session = cursor.started_at = None

    # --- sessions --------------------------------------------------------------------------------

    def register(self, session: SessionId, ttl: timedelta, lanes: Collection[Lane]) -> None:
        """Start a session that serves some lanes."""
        now = self.clock.now()
        self.sessions[session] = ModelSession(ttl, now, now, frozenset(lanes))

    def renew(self, session_id: SessionId) -> bool:
        """Renew a live session."""
        session = self.sessions.get(session_id)
        if session is None:
            return False
        now = self.clock.now()
        if now - session.renewed_at > session.ttl:
            session.steady_since = now
        session.renewed_at = now
        return True

    def end(self, session: SessionId) -> None:
        """End a session and give back what is its."""
        self.sessions.pop(session, None)
        for head in self.heads.values():
            control.disown(head, session)
            control.release(head, session)

    def reap(self, session_id: SessionId) -> list[SessionId]:
        """End the sessions that a caller may see as dead."""
        now = self.clock.now()
        caller = self.sessions[session_id]
        if now - caller.renewed_at > caller.ttl or now - caller.steady_since < caller.ttl:
            return []
        dead = [it for it, known in self.sessions.items() if now - known.renewed_at > known.ttl]
        for session in dead:
            del self.sessions[session]
            for head in self.heads.values():
                control.bereave(head, session)
        return dead

    def reconcile(self, session: SessionId, kept: Sequence[Lease], run: RunKey | None) -> None:
        """Give back whatever a session holds, of one run or of any, beside some leases."""
        for head, cursor in self.held(session):
            looked_at = run is None or self.run(run) is head
            if looked_at and self.lease(head, cursor) not in kept:
                cursor.session = cursor.started_at = None

    # --- signals ---------------------------------------------------------------------------------

    def send(self, instance_id: InstanceId, name: str) -> int:
        """Send a signal and return its number."""
        now = self.clock.now()
        inbox = self.inbox(instance_id)
        inbox.last += 1
        signal = PendingSignal(seq=inbox.last, name=name, received_at=now)
        head = self.heads.get(instance_id)
        if head is None:
            inbox.pending.append(signal)
        else:
            control.send(head, signal, now)
        return inbox.last

    def expire(self, before: datetime) -> None:
        """Remove every signal received before an instant that nothing will consume."""
        for instance_id, inbox in self.inboxes.items():
            head = self.heads.get(instance_id)
            state = None if head is None else head.header.state
            expire(inbox.pending, state, received_before=before, limit=len(inbox.pending))


def comparable(cursor: Cursor) -> Cursor:
    """Return a cursor without what a store may forget of one that nobody holds."""
    copy = cursor.copy()
    if copy.session is None:
        copy.claim_no = 0
    return copy


def comparable_cursors(head: Head) -> dict[CursorKey, Cursor]:
    """Return all cursors of a head so that two stores can be compared."""
    return {key: comparable(cursor) for key, cursor in head.cursors.items()}
