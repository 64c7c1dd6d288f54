"""Commit checkpoints in memory.

How this works: the core's ``apply`` changes the stored head in place. The commonest checkpoint, a
succeeded step followed by a move, takes a short cut that makes the same changes by the same core
functions, and is taken only where ``apply`` would find nothing to decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sayiir_core.ids import SessionId
from sayiir_core.snapshot.answer import COMMITTED, Answer, Lost, LostReason
from sayiir_core.snapshot.apply import apply, place
from sayiir_core.snapshot.effect import Checkpoint, Move, Record
from sayiir_core.snapshot.step import StepStatus
from sayiir_runtime.memory.row import Run
from sayiir_runtime.memory.step import fold
from sayiir_runtime.memory.store import Store

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
        with store.lock:
            now = store.clock.now()
            return [self._commit(checkpoint, now) for checkpoint in batch]

    def _commit(self, checkpoint: Checkpoint, now: datetime) -> Answer:
        store, lease = self._store, checkpoint.lease
        run = store.runs.get(lease.instance_id)
        if run is None:
            return self._lost(_GONE, lease.session)
        if len(checkpoint.effects) == 2 and _step_and_move(run, checkpoint, now):
            return COMMITTED
        applied = apply(run.head, checkpoint, now)
        if isinstance(applied.answer, Lost):
            return self._lost(applied.answer, lease.session)
        store.follow(run, applied)
        return applied.answer

    def _lost(self, answer: Lost, session: SessionId) -> Lost:
        return answer if self._store.is_live(session) else _SESSION_ENDED


def _step_and_move(run: Run, checkpoint: Checkpoint, now: datetime) -> bool:
    """Take the short cut; False if it is not open and nothing was changed."""
    record, move = checkpoint.effects
    if type(record) is not Record or type(move) is not Move or not checkpoint.keep:
        return False
    lease, step = checkpoint.lease, record.step
    ticket = run.tickets.get((lease.scope, lease.index))
    if ticket is None or step.status is not StepStatus.SUCCEEDED:
        return False
    cursor = ticket.cursor
    if (
        cursor.seq != checkpoint.seq
        or cursor.fence != lease.fence
        or cursor.session != lease.session
        or cursor.held
        or run.head.header.run_id != lease.run_id
    ):
        return False
    cursor.seq += 1
    place(cursor, move, now)
    run.record(fold(step, lease.session, lease.fence, checkpoint.seq))
    return True
