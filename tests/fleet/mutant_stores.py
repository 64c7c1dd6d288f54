"""Stores with one bug each. The names of the ports' methods say what they do."""

# ruff: noqa: ARG002, D102

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sayiir_core.ids import InstanceId, RunKey, SessionId
from sayiir_core.ports.clock import Clock
from sayiir_core.ports.instances import Created, Exists, NewInstance
from sayiir_core.ports.ownership import Busy, Owned
from sayiir_core.ports.sessions import NewSession
from sayiir_core.snapshot import control
from sayiir_core.snapshot.answer import (
    COMMITTED,
    Answer,
    Claim,
)
from sayiir_core.snapshot.effect import Arrive, Checkpoint
from sayiir_core.snapshot.head import (
    Cursor,
    CursorKey,
    CursorState,
    Head,
    InstanceState,
    Lane,
)
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.memory.checkpoints import MemoryCheckpoints
from sayiir_runtime.memory.claims import MemoryClaims
from sayiir_runtime.memory.control import MemoryControl
from sayiir_runtime.memory.instances import MemoryInstances
from sayiir_runtime.memory.ownership import MemoryOwnership
from sayiir_runtime.memory.row import copy_head
from sayiir_runtime.memory.sessions import MemorySessions
from sayiir_runtime.memory.signals import MemorySignals


def store_with(**ports: type) -> Callable[[Clock], InMemoryBackend]:
    """Return what makes a memory store with some of its ports replaced."""

    def make(clock: Clock) -> InMemoryBackend:
        backend = InMemoryBackend(clock=clock)
        for name, port in ports.items():
            setattr(backend, name, port(backend._store))
        return backend

    return make


class IgnoresFence(MemoryCheckpoints):
    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        return super().commit([self._pass(checkpoint) for checkpoint in batch])

    def _pass(self, checkpoint: Checkpoint) -> Checkpoint:
        lease = checkpoint.lease
        run = self._store.run_of.get(lease.run_id)
        cursor = None if run is None else run.head.cursors.get(lease.key)
        if cursor is None or cursor.session is None:
            return checkpoint
        if (cursor.session, cursor.fence) == (lease.session, lease.fence):
            return checkpoint
        lease = replace(lease, session=cursor.session, fence=cursor.fence)
        # The number of the commit is ignored too: it alone would stop most of them.
        return replace(checkpoint, lease=lease, seq=cursor.seq)


class IgnoresSeq(MemoryCheckpoints):
    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        return super().commit([self._pass(checkpoint) for checkpoint in batch])

    def _pass(self, checkpoint: Checkpoint) -> Checkpoint:
        lease = checkpoint.lease
        run = self._store.run_of.get(lease.run_id)
        cursor = None if run is None else run.head.cursors.get(lease.key)
        return checkpoint if cursor is None else replace(checkpoint, seq=cursor.seq)


class CountsTwoArrivalsAsOne(MemoryCheckpoints):
    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        answers = super().commit(batch)
        for checkpoint, answer in zip(batch, answers, strict=True):
            last = checkpoint.effects[-1]
            if isinstance(last, Arrive) and answer is COMMITTED:
                run = self._store.runs[checkpoint.lease.instance_id]
                join = next(
                    (c for c in run.head.cursors.values() if c.state is CursorState.JOINING), None
                )
                if join is not None and join.pending == 1:
                    join.pending += 1
        return answers


class GrantsWhatIsHeld(MemoryClaims):
    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        claims = super().claim(session, claim_no, lanes, limit)
        others = [
            ticket
            for run in self._store.runs.values()
            for ticket in run.tickets.values()
            if ticket.holder not in (None, session) and not ticket.cursor.held
        ]
        return claims or self._store.claim(others[:1], session, claim_no)


class GivesForeignLanes(MemoryClaims):
    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        every = {lane for _, served in self._store.serving() for lane in served}
        return super().claim(session, claim_no, every, limit)


class GivesNoNewFence(MemoryClaims):
    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        claims = super().claim(session, claim_no, lanes, limit)
        for claim in claims:
            if claim.lease.fence > 1:
                claim.lease.fence -= 1
                self._store.run_of[claim.lease.run_id].head.cursors[claim.lease.key].fence -= 1
        return claims


class GivesTheWorstFirst(MemoryClaims):
    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        return super().claim(session, claim_no, lanes, limit)[::-1]


class ForgetsTimers(MemoryClaims):
    def next_due(self, lanes: Collection[Lane]) -> datetime | None:
        return None


class ReapsTheLiving(MemorySessions):
    def reap(self, session_id: SessionId) -> list[SessionId]:
        for session in self._store.sessions.values():
            if session.alive and session.new.session_id != session_id:
                session.renewed_at -= timedelta(seconds=20)
        return super().reap(session_id)


class NeverReaps(MemorySessions):
    def reap(self, session_id: SessionId) -> list[SessionId]:
        return []


class CountsNoDeaths(MemorySessions):
    def _bury(self, session: Any) -> None:
        self._store.end_session(session.new.session_id)


class ChargesWhatWasNotMarked(MemorySessions):
    def _bury(self, session: Any) -> None:
        for ticket in session.holds:
            ticket.cursor.started_at = self._store.clock.now()
        super()._bury(session)


class EndsThoseOfTheSameName(MemorySessions):
    def register(self, session: NewSession) -> None:
        for other in list(self._store.sessions.values()):
            if other.new.worker_id == session.worker_id:
                self._store.end_session(other.new.session_id)
        super().register(session)


class LosesAChildAtAPause(MemoryControl):
    def unpause(self, instance_id: InstanceId) -> Head:
        head = super().unpause(instance_id)
        run = self._store.runs[instance_id]
        parked = [key for key, c in run.head.cursors.items() if c.state is not CursorState.JOINING]
        if len(run.head.cursors) > 1 and parked:
            run.head.cursors.pop(parked[-1])
            self._store._remove_ticket(run, parked[-1])
        return head


class RetriesWhatStillRuns(MemoryControl):
    def retry(self, instance_id: InstanceId) -> Head:
        def revive(head: Head) -> list[Cursor]:
            if head.header.state is not InstanceState.FAILED:
                return control.retry(head)
            head.header.state = InstanceState.RUNNING
            head.header.error = head.header.finished_at = None
            return _let_go(head)

        return self._change(instance_id, revive)


class RevivesOnlyWhatFailed(MemoryControl):
    def retry(self, instance_id: InstanceId) -> Head:
        super().retry(instance_id)
        run = self._store.run(instance_id)
        for cursor in run.head.cursors.values():
            cursor.held = cursor.state is not CursorState.READY or cursor.fresh_from == 0
            self._store.refresh(run.tickets[cursor.key])
        return self._change(instance_id, lambda _: [])


class RetriesOnTheOldCount(MemoryControl):
    def retry(self, instance_id: InstanceId) -> Head:
        super().retry(instance_id)
        for cursor in self._store.run(instance_id).head.cursors.values():
            cursor.fresh_from = 0
        return self._change(instance_id, lambda _: [])


def _let_go(head: Head) -> list[Cursor]:
    held = [cursor for cursor in head.cursors.values() if cursor.held]
    for cursor in held:
        cursor.held = False
    return held


class KeepsOldSignals(MemoryInstances):
    def _create(self, new: NewInstance, now: datetime) -> Created | Exists:
        inbox = self._store.inboxes.get(new.instance_id)
        kept = [] if inbox is None else list(inbox.pending)
        answer = super()._create(new, now)
        if inbox is not None and new.replace:
            inbox.pending.extend(kept)
        return answer


class TakesWritesOfReplacedRuns(MemoryCheckpoints):
    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        return super().commit([self._pass(checkpoint) for checkpoint in batch])

    def _pass(self, checkpoint: Checkpoint) -> Checkpoint:
        lease = checkpoint.lease
        header = self._store.runs[lease.instance_id].head.header
        return replace(checkpoint, lease=replace(lease, run_id=header.run_id))


class OwnsWhatOthersHold(MemoryOwnership):
    def own(self, session: SessionId, instance_id: InstanceId) -> Owned | Busy:
        run = self._store.run(instance_id)
        if run.head.header.owner is not None:
            return super().own(session, instance_id)
        run.head.header.owner = session
        self._store.reindex(run)
        return Owned(copy_head(run.head))


class DisownsForAnyone(MemoryOwnership):
    def disown(self, session: SessionId, run: RunKey) -> None:
        owned = self._store.run_named(run)
        owner = None if owned is None else owned.head.header.owner
        super().disown(owner or session, run)


class PoolsTakeTheOwned(MemoryClaims):
    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        claims = super().claim(session, claim_no, lanes, limit)
        now = self._store.clock.now()
        owned = [
            ticket
            for run in self._store.runs.values()
            for ticket in run.tickets.values()
            if run.head.header.owner is not None and ticket.cursor.claimable(now)
        ]
        return claims or self._store.claim(owned[:1], session, claim_no)


class LeavesOwnersDead(MemorySessions):
    def _bury(self, session: Any) -> None:
        owned = list(session.owns)
        super()._bury(session)
        for run in owned:
            run.head.header.owner = session.new.session_id
            self._store.reindex(run)


class DeliversTooLate(MemorySignals):
    def send(self, instance_id: InstanceId, name: str, payload: bytes) -> int:
        run = self._store.runs.get(instance_id)
        late: dict[CursorKey, datetime] = {}
        now = self._store.clock.now()
        for key, cursor in {} if run is None else run.head.cursors.items():
            is_waiting = cursor.state is CursorState.AWAITING and cursor.session is None
            if is_waiting and cursor.available_at is not None and cursor.available_at <= now:
                late[key], cursor.available_at = cursor.available_at, None
        seq = super().send(instance_id, name, payload)
        for key, due in late.items():
            cursor = run.head.cursors[key]
            cursor.available_at = cursor.available_at or due
        return seq
