"""Checkpoints: what commits mean is said by the core, how they are written here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Final

from sayiir_core.ids import pack_index
from sayiir_core.ports.wakeup import HintKind
from sayiir_core.snapshot.answer import (
    COMMITTED,
    Answer,
    Committed,
    Lost,
    LostReason,
    Refused,
)
from sayiir_core.snapshot.apply import Applied, Needs, apply, needs
from sayiir_core.snapshot.effect import Checkpoint, Record
from sayiir_core.snapshot.head import CursorKey, Head, PendingSignal
from sayiir_core.snapshot.reference import encode_ref
from sayiir_core.snapshot.step import ScopeRow, StepRow
from sayiir_sqlite.clock import StoreClock, to_instant
from sayiir_sqlite.connection import Handle
from sayiir_sqlite.database import Database
from sayiir_sqlite.errors import BadRowError, DriverError, translate
from sayiir_sqlite.fastpath import FastPath
from sayiir_sqlite.heads import (
    StoredHead,
    find_header,
    insert_cursors,
    is_live,
    load_cursor,
    load_cursors,
    update_cursors,
    update_header,
)
from sayiir_sqlite.limit import PayloadLimit
from sayiir_sqlite.rows import write_step
from sayiir_sqlite.signals import pending_signals
from sayiir_sqlite.statement import statement

_CURSOR_DELETE: Final = statement("cursor_delete")
_STEP_INSERT: Final = statement("step_insert")
_SCOPE_INSERT: Final = statement("scope_insert")
_SCOPE_MARK: Final = statement("scope_mark")
_SIGNAL_CONSUME: Final = statement("signal_consume")

_SESSION_ENDED: Final = Lost(LostReason.SESSION_ENDED)
_GONE: Final = Lost(LostReason.GONE)


class SQLiteCheckpoints:
    """Write checkpoints, a batch in one transaction."""

    __slots__ = ("_clock", "_database", "_fast", "_limit")

    def __init__(self, database: Database, clock: StoreClock, limit: PayloadLimit) -> None:
        self._database = database
        self._clock = clock
        self._limit = limit
        self._fast = FastPath(database)

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        """Apply checkpoints in order; see ``CheckpointStore``."""
        try:
            with self._database.writing() as handle:
                now = self._clock.micros()
                return [self._write(handle, checkpoint, now) for checkpoint in batch]
        except BadRowError:
            return self._commit_with_care(batch)

    def _commit_with_care(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        """Commit a batch of which a row is refused, in a transaction of its own again.

        The marks that undo a single checkpoint would cost every batch.
        """
        with self._database.writing() as handle:
            now = self._clock.micros()
            return [self._write_or_undo(handle, checkpoint, now) for checkpoint in batch]

    def _write_or_undo(self, handle: Handle, checkpoint: Checkpoint, now: int) -> Answer:
        handle.execute("SAVEPOINT checkpoint")
        try:
            answer = self._write(handle, checkpoint, now)
        except DriverError as error:
            refusal = translate(error, self._database.path)
            if not isinstance(refusal, BadRowError):
                raise
            handle.execute("ROLLBACK TO checkpoint")
            answer = Refused(f"instance {checkpoint.lease.instance_id!r}: {refusal}")
        handle.execute("RELEASE checkpoint")
        return answer

    def _write(self, handle: Handle, checkpoint: Checkpoint, now: int) -> Answer:
        for effect in checkpoint.effects:
            if type(effect) is Record:
                problem = self._limit.problem(
                    effect.step.output, "output", checkpoint.lease.instance_id
                )
                if problem is not None:
                    return Refused(problem)
        if self._fast.write(handle, checkpoint, now):
            return COMMITTED
        answer = self._apply(handle, checkpoint, now)
        if type(answer) is Lost and not is_live(handle, checkpoint.lease.session):
            return _SESSION_ENDED
        return answer

    def _apply(self, handle: Handle, checkpoint: Checkpoint, now: int) -> Answer:
        lease = checkpoint.lease
        stored = find_header(handle, lease.instance_id)
        if stored is None:
            return _GONE
        if stored.head.header.run_id == lease.run_id:
            _load(handle, stored, lease.key, needs(checkpoint))
        instant = to_instant(now)
        applied = apply(stored.head, checkpoint, instant)
        if not isinstance(applied.answer, Lost):
            self._save(handle, stored, applied)
            self._database.hint(*_hints(stored.head, applied, instant))
        return applied.answer

    def _save(self, handle: Handle, stored: StoredHead, applied: Applied) -> None:
        for key in applied.removed:
            handle.execute(_CURSOR_DELETE, (stored.run, key.scope, pack_index(key.turns)))
        if applied.added:
            insert_cursors(handle, stored, applied.added)
        if applied.touched:
            update_cursors(handle, stored, applied.touched)
        for row in applied.steps:
            self._save_step(handle, stored, row)
        for scope in applied.scopes:
            _save_scope(handle, stored, scope)
        instance_id = stored.head.header.instance_id
        for seq in applied.consumed:
            handle.execute(_SIGNAL_CONSUME, (stored.run, instance_id, seq))
        if applied.header_changed:
            update_header(handle, stored)

    def _save_step(self, handle: Handle, stored: StoredHead, row: StepRow) -> None:
        session = self._database.numbers.session(handle, row.session)
        assert session is not None
        values = write_step(stored.run, row.record, session, row.fence, row.seq)
        handle.execute(_STEP_INSERT, values)


def _hints(head: Head, applied: Applied, now: datetime) -> Iterator[HintKind]:
    """Yield whether a run has ended or come to rest, and whether pools may find something new."""
    answer = applied.answer
    if applied.header_changed or (isinstance(answer, Committed) and answer.held):
        yield HintKind.ENDED
    if head.header.owner is None and any(
        it.claimable(now) for it in chain(applied.touched, applied.added)
    ):
        yield HintKind.CLAIMABLE


def _save_scope(handle: Handle, stored: StoredHead, row: ScopeRow) -> None:
    values = (pack_index(row.index), row.scope, encode_ref(row.value), row.fence, row.seq)
    handle.execute(_SCOPE_INSERT, (stored.run, *values))


def _load(handle: Handle, stored: StoredHead, key: CursorKey, needed: Needs) -> None:
    """Put into a head what the checkpoint of a cursor decides on."""
    head = stored.head
    if needed.every_cursor:
        load_cursors(handle, stored)
    else:
        load_cursor(handle, stored, key)
    if needed.parent is not None and needed.parent not in head.cursors:
        load_cursor(handle, stored, needed.parent)
    if key not in head.cursors:
        mark = handle.one(_SCOPE_MARK, (stored.run, pack_index(key.turns), key.scope))
        if mark is not None:
            head.arrived[key] = (mark[0], mark[1])
    if needed.signal is not None:
        head.inbox = _inbox(handle, stored, needed.signal)


def _inbox(handle: Handle, stored: StoredHead, name: str) -> list[PendingSignal]:
    pending = pending_signals(handle, stored.head.header.instance_id)
    return [signal for signal in pending if signal.name == name]
