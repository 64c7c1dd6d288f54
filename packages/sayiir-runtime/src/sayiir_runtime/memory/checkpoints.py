"""Commit checkpoints in memory.

How this works: the core's ``apply`` changes the stored head in place. The commonest checkpoint, a
succeeded step followed by a move or by the end of the run, takes a short cut that makes the same
changes by the same core functions, and is taken only where ``apply`` would find nothing to decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sayiir_core.ids import SessionId
from sayiir_core.snapshot.answer import COMMITTED, Answer, Lost, LostReason
from sayiir_core.snapshot.apply import apply
from sayiir_core.snapshot.effect import Checkpoint, Finish, Move, Record
from sayiir_core.snapshot.motion import complete, place
from sayiir_core.snapshot.step import StepStatus
from sayiir_runtime.memory.step import fold
from sayiir_runtime.memory.store import Store

_SUCCEEDED: Final = StepStatus.SUCCEEDED
_GONE: Final = Lost(LostReason.GONE)
_SESSION_ENDED: Final = Lost(LostReason.SESSION_ENDED)


class MemoryCheckpoints:
    """The checkpoint port of the memory backend."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        """Apply checkpoints in order; one answer each."""
        store = self._store
        answers: list[Answer] = []
        # Spelled out, because every step pays it: a ``with`` takes twice as long.
        store.lock.acquire()
        try:
            now = store.clock.now()
            for checkpoint in batch:
                if len(checkpoint.effects) == 2 and self._short_cut(checkpoint, now):
                    answers.append(COMMITTED)
                else:
                    answers.append(self._commit(checkpoint, now))
        finally:
            store.lock.release()
        if store.hints.listeners:
            store.hints.tell()
        return answers

    def _commit(self, checkpoint: Checkpoint, now: datetime) -> Answer:
        store, lease = self._store, checkpoint.lease
        run = store.runs.get(lease.instance_id)
        if run is None:
            return self._lost(_GONE, lease.session)
        applied = apply(run.head, checkpoint, now)
        if isinstance(applied.answer, Lost):
            return self._lost(applied.answer, lease.session)
        store.follow(run, applied)
        return applied.answer

    def _short_cut(self, checkpoint: Checkpoint, now: datetime) -> bool:
        """Write a step and what follows it; False if that is not open and nothing was changed."""
        record, then = checkpoint.effects
        lease = checkpoint.lease
        # A run that was replaced or pruned is not found by its own id.
        run = self._store.run_of.get(lease.run_id)
        if run is None or type(record) is not Record or not checkpoint.keep:
            return False
        key = (lease.scope, lease.index)
        ticket = run.tickets.get(key)
        step = record.step
        if ticket is None or step.status is not _SUCCEEDED:
            return False
        cursor = ticket.cursor
        if (
            cursor.seq != checkpoint.seq
            or cursor.fence != lease.fence
            or cursor.session != lease.session
            or cursor.held
        ):
            return False
        if type(then) is Move:
            cursor.seq += 1
            place(cursor, then, now)
        elif type(then) is Finish:
            complete(run.head, checkpoint, then, now)
            self._store.retire(run, key)
        else:
            return False
        run.record(fold(step, lease.session, lease.fence, checkpoint.seq))
        return True

    def _lost(self, answer: Lost, session: SessionId) -> Lost:
        return answer if self._store.is_live(session) else _SESSION_ENDED
