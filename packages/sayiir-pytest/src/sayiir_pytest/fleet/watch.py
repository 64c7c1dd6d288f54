"""The laws of safety, checked at every call that a worker makes to the store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sayiir_core.ids import Index, InstanceId, RunId, SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.sessions import SessionView
from sayiir_core.snapshot.answer import Answer, Claim, Committed, Lost
from sayiir_core.snapshot.control import claim_order
from sayiir_core.snapshot.effect import Checkpoint, Lease, Record
from sayiir_core.snapshot.head import Cursor, CursorKey, CursorState, Head, InstanceState, Lane
from sayiir_core.snapshot.reference import RoutedRef, StepRef
from sayiir_core.snapshot.step import StepStatus
from sayiir_pytest.fleet.limits import LimitWatch
from sayiir_pytest.fleet.requests import RequestWatch
from sayiir_runtime.runner.attempt import Attempt
from sayiir_runtime.worker.held import SUSPECT_AFTER, Held

StepKey = tuple[RunId, int, Index]


class Violation(AssertionError):  # noqa: N818 - what it is, as a test reports it
    """A law does not hold; the text ends with the seed and the last events."""


class Watch:
    """What was seen of one fleet."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.recorded: set[StepKey] = set()
        # By attempt: a retry is no repetition.
        self.started: dict[tuple[StepKey, int], int] = {}
        self.late_starts = 0
        self.stale_writes = 0
        self.charges = 0
        self.is_calm = False
        # Kept as well as raised, because workers go on after errors that they do not expect.
        self.violation: Violation | None = None
        self._begun: set[tuple[StepKey, SessionId, int]] = set()
        self._given: set[tuple[RunId, CursorKey, int]] = set()
        self._stopped: set[tuple[RunId, CursorKey, int]] = set()
        self.limits = LimitWatch(self.violates)
        self.requests = RequestWatch(self.violates)

    def violates(self, text: str) -> Violation:
        """Return the violation to raise; it is kept, too, since some callers handle any error."""
        self.violation = self.violation or Violation(text)
        return self.violation

    # Commits.

    def committed(self, checkpoint: Checkpoint, answer: Answer, before: Head, after: Head) -> None:
        """Check an answer: only the holder writes, each step succeeds once, Lost changes nothing.

        ``before`` and ``after`` are the head of the instance around the commit.
        """
        lease = checkpoint.lease
        if not isinstance(answer, Committed) or answer.replayed:
            if before != after:
                raise self.violates(f"law 3: {answer} has changed {lease.instance_id}")
            self.stale_writes += isinstance(answer, Lost)
            return
        cursor = before.cursors.get(lease.key)
        if before.header.run_id != lease.run_id or cursor is None:
            raise self.violates(f"law 4: {lease} was committed, and there is no such cursor")
        if (cursor.session, cursor.fence) != (lease.session, lease.fence):
            raise self.violates(f"law 4: {lease} was committed, but {cursor} is not held by it")
        if cursor.seq != checkpoint.seq:
            raise self.violates(f"law 3: a commit was counted twice: {checkpoint} at {cursor}")
        self._note_records(checkpoint)
        if answer.held:
            self._stopped.add((lease.run_id, lease.key, lease.fence))
        for claim in answer.claims:
            self._note_claim(claim, after.cursors.get(claim.lease.key))

    def _note_records(self, checkpoint: Checkpoint) -> None:
        self.limits.recorded(checkpoint)
        for effect in checkpoint.effects:
            if isinstance(effect, Record) and effect.step.status is StepStatus.SUCCEEDED:
                key = (checkpoint.lease.run_id, effect.step.node, effect.step.turns)
                if key in self.recorded:
                    raise self.violates(f"law 2: step {key} was recorded twice")
                self.recorded.add(key)

    # Claims.

    def claimed(
        self,
        claims: Sequence[Claim],
        lanes: Collection[Lane],
        now: datetime,
        before: dict[InstanceId, Head],
    ) -> None:
        """Check a claim: it gives what is due and free, of its lanes, best first."""
        for claim in claims:
            head = before[claim.lease.instance_id]
            cursor = head.cursors[claim.lease.key]
            if not cursor.claimable(now) or head.header.state is not InstanceState.RUNNING:
                raise self.violates(
                    f"law 4: {claim.lease} was given, but cannot be claimed: {cursor}"
                )
            if head.header.owner is not None:
                raise self.violates(f"law 4: {claim.lease} was given, but its run is owned")
            if Lane(head.header.identity, cursor.group) not in lanes:
                raise self.violates(f"a worker got {claim.lease} of a lane that it does not serve")
            self.granted(claim)
        aging = self._backend.claims.aging_interval
        order = [claim_order(claim.cursor, aging) for claim in claims]
        if order != sorted(order):
            raise self.violates(f"a claim is not in the order of the queue: {order}")

    def granted(self, claim: Claim) -> None:
        """Check that a claim has a fence of its own, and holds what it names."""
        head = self._backend.instances.load(claim.lease.instance_id)
        self._note_claim(claim, head.cursors.get(claim.lease.key))

    def _note_claim(self, claim: Claim, stored: Cursor | None) -> None:
        lease = claim.lease
        given = (lease.run_id, lease.key, lease.fence)
        if given in self._given:
            raise self.violates(f"law 4: the fence of {lease} was given twice")
        self._given.add(given)
        if stored is None or (stored.session, stored.fence) != (lease.session, lease.fence):
            raise self.violates(f"law 4: {lease} does not hold {stored}")

    # Bodies and deaths.

    def body_starts(self, held: Held, running: Iterable[Held]) -> None:
        """Note a start in a worker: of those that may kill only one runs at a time."""
        if held.is_suspect and sum(other.is_suspect for other in running) > 1:
            raise self.violates(
                f"{held.claim.lease} may kill its process, and runs beside another such body"
            )
        self.begins(held.claim.lease, held.claim.cursor)

    def begins(self, lease: Lease, cursor: Cursor) -> None:
        """Note a start: no recorded step again, and nothing after it was told to stop."""
        key = (lease.run_id, cursor.node, cursor.turns)
        attempt = (key, cursor.attempt)
        self.started[attempt] = self.started.get(attempt, 0) + 1
        self._begun.add((key, lease.session, lease.fence))
        if (lease.run_id, lease.key, lease.fence) in self._stopped:
            raise self.violates(f"{lease} goes on, although it was told that it is held")
        if cursor.deaths and cursor.started_at is None:
            raise self.violates(f"{lease} may kill its process, and starts without a mark")
        needed = cursor.input.key if isinstance(cursor.input, RoutedRef) else cursor.input
        if isinstance(needed, StepRef) and not self._is_recorded(lease.run_id, needed):
            raise self.violates(f"law 1: {lease} starts on {needed}, which is not stored")
        if key not in self.recorded:
            return
        view = self._backend.sessions.view(lease.session)
        if view is not None and view.alive and self._holds(lease):
            raise self.violates(f"law 2: recorded step {key} of {lease.instance_id} starts again")
        self.late_starts += 1

    def timed_out(self, attempt: Attempt) -> None:
        """Note that nobody waits for a body any more."""
        self.limits.timed_out(attempt)

    def _is_recorded(self, run_id: RunId, step: StepRef) -> bool:
        return (run_id, step.node, step.turns) in self.recorded

    def _holds(self, lease: Lease) -> bool:
        cursor = self._backend.instances.load(lease.instance_id).cursors.get(lease.key)
        return cursor is not None and cursor.fence == lease.fence

    def registered(self, before: set[SessionId], after: set[SessionId]) -> None:
        """Check that a new session ends no other, whatever they are called."""
        if not before < after:
            raise self.violates(f"a new session has ended others: {before - after}")

    def left(self, session: SessionId, heads: Iterable[Head]) -> None:
        """Check that a worker that ends in good order has given back everything."""
        held = [c for head in heads for c in head.cursors.values() if c.session == session]
        if held and self.is_calm:
            raise self.violates(f"{session} ends, and still holds {held}")

    def reaped(self, dead: Sequence[SessionView], now: datetime) -> None:
        """Check that only those were called dead whose leases have expired."""
        for view in dead:
            if now - view.renewed_at <= view.ttl:
                raise self.violates(
                    f"law 6: {view.session_id} was taken for dead, and lives: {view}"
                )

    def bereaved(
        self, dead: Collection[SessionId], before: Iterable[Head], after: dict[InstanceId, Head]
    ) -> None:
        """Judge whom a death was charged to: innocents are those whose body never began.

        A mark may be under way when a process dies, of one that may kill at a time; so one of
        them may be charged before it has begun, and no more.
        """
        innocent: dict[SessionId, list[Cursor]] = {session: [] for session in dead}
        for head in before:
            header = head.header
            for key, cursor in head.cursors.items():
                session = cursor.session
                if session is None or session not in innocent:
                    continue
                charged = after[header.instance_id].cursors[key].deaths != cursor.deaths
                self.charges += charged
                if charged != (cursor.started_at is not None or not cursor.deaths):
                    raise self.violates(f"a death was counted wrongly, charged={charged}: {cursor}")
                body = (header.run_id, cursor.node, cursor.turns)
                began = (body, session, cursor.fence) in self._begun
                if charged and len(cursor.deaths) >= SUSPECT_AFTER and not began:
                    innocent[session].append(cursor)
        for cursors in innocent.values():
            if len(cursors) > 1:
                raise self.violates(f"innocent: a death was charged to what did not run: {cursors}")

    # Signals.

    def sent(self, before: Head, after: Head, now: datetime) -> None:
        """Check a signal: it wakes nothing whose deadline has passed."""
        for key, cursor in before.cursors.items():
            is_late = cursor.available_at is not None and cursor.available_at <= now
            is_woken = after.cursors[key].state is CursorState.SIGNALLED
            if is_late and is_woken and cursor.state is CursorState.AWAITING:
                raise self.violates(f"a signal came after its deadline, and woke {cursor}")

    # What always holds.

    def check(self, head: Head, live: set[SessionId]) -> None:
        """Check that every cursor of a live instance is where something ends its wait (law 5)."""
        if head.header.state is not InstanceState.RUNNING:
            return
        if not head.cursors:
            raise self.violates(f"{head.header.instance_id} runs and has no cursor")
        if head.header.owner is not None and head.header.owner not in live:
            raise self.violates(f"{head.header.instance_id} is owned by an ended session")
        joins = [c for c in head.cursors.values() if c.state is CursorState.JOINING]
        for cursor in head.cursors.values():
            if cursor.held:
                raise self.violates(
                    f"{head.header.instance_id} runs and holds {cursor.key}: {cursor}"
                )
            if cursor.session is not None:
                if cursor.session not in live:
                    raise self.violates(f"{cursor.key} is held by an ended session: {cursor}")
            elif cursor.available_at is None and cursor.state not in _WAITS:
                raise self.violates(f"nothing ever wakes {cursor.key}: {cursor}")
        if len(head.cursors) != 1 + sum(c.pending for c in joins):
            raise self.violates(f"joins of {head.header.instance_id} wait for nobody: {head}")


_WAITS: Any = frozenset({CursorState.AWAITING, CursorState.JOINING})
