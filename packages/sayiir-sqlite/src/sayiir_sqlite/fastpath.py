"""The commonest checkpoints, each in one guarded statement and an insert.

How this works: a task that succeeded and is followed by a task or by the end of the run, one that
failed and is tried again, and the mark that a body starts, decide on nothing but their own cursor.
The guard of the statement is the guard of ``sayiir_core.snapshot.apply``, narrowed to cursors that
are not held; the session needs no look, because ending one takes its cursors from it in the same
transaction. Where the guard does not hold nothing is changed, and the whole of ``apply`` says why.
"""

from __future__ import annotations

from typing import Final

from sayiir_core.ids import pack_index
from sayiir_core.ports.wakeup import HintKind
from sayiir_core.snapshot.apply import AVOIDANCE
from sayiir_core.snapshot.effect import Checkpoint, Finish, Lease, Move, Record, Retry, Start
from sayiir_core.snapshot.reference import encode_ref
from sayiir_core.snapshot.step import StepRecord, StepStatus
from sayiir_sqlite.clock import span_micros, to_micros
from sayiir_sqlite.connection import Handle, Params
from sayiir_sqlite.database import Database
from sayiir_sqlite.rows import write_step
from sayiir_sqlite.statement import statement

_MOVE_AND_KEEP: Final = statement("checkpoint_move")
_MOVE_AND_RELEASE: Final = statement("checkpoint_move_on")
_RETRY: Final = statement("checkpoint_retry")
_START: Final = statement("checkpoint_start")
_FINISH: Final = statement("checkpoint_finish")
_COMPLETE: Final = statement("instance_complete")
_STEP_INSERT: Final = statement("step_insert")

_AVOIDANCE: Final = span_micros(AVOIDANCE)


class FastPath:
    """Write simple checkpoints."""

    __slots__ = ("_database", "_numbers")

    def __init__(self, database: Database) -> None:
        self._database = database
        self._numbers = database.numbers

    def write(self, handle: Handle, checkpoint: Checkpoint, now: int) -> bool:
        """Write a checkpoint if it is a simple one whose guard holds; else change nothing."""
        effects = checkpoint.effects
        if len(effects) == 2:
            record, rest = effects
            if type(record) is Record:
                step = record.step
                if step.status is not _SUCCEEDED:
                    return type(rest) is Retry and self._retry(handle, checkpoint, step, rest, now)
                if type(rest) is Move:
                    return self._move(handle, checkpoint, step, rest, now)
                if type(rest) is Finish:
                    return self._finish(handle, checkpoint, step, rest, now)
        elif len(effects) == 1 and checkpoint.keep and type(effects[0]) is Start:
            return self._change(handle, _START, (now,), checkpoint) is not None
        return False

    def _move(
        self, handle: Handle, checkpoint: Checkpoint, step: StepRecord, move: Move, now: int
    ) -> bool:
        place = (
            move.node,
            pack_index(move.turns),
            encode_ref(move.input),
            move.group,
            move.priority,
            now,
        )
        sql = _MOVE_AND_KEEP if checkpoint.keep else _MOVE_AND_RELEASE
        if self._write_with_step(handle, sql, place, checkpoint, step) is None:
            return False
        if not checkpoint.keep:
            self._database.hint(HintKind.CLAIMABLE)
        return True

    def _retry(
        self, handle: Handle, checkpoint: Checkpoint, step: StepRecord, retry: Retry, now: int
    ) -> bool:
        at = to_micros(retry.at)
        wait = (step.attempt, at, at + min(max(at - now, 0), _AVOIDANCE))
        if self._write_with_step(handle, _RETRY, wait, checkpoint, step) is None:
            return False
        if at <= now:
            self._database.hint(HintKind.CLAIMABLE)
        return True

    def _finish(
        self, handle: Handle, checkpoint: Checkpoint, step: StepRecord, finish: Finish, now: int
    ) -> bool:
        run = self._write_with_step(handle, _FINISH, (), checkpoint, step)
        if run is None:
            return False
        end = (encode_ref(finish.value), now, checkpoint.lease.fence, checkpoint.seq, run)
        handle.execute(_COMPLETE, end)
        self._database.hint(HintKind.ENDED)
        return True

    def _write_with_step(
        self, handle: Handle, sql: str, values: Params, checkpoint: Checkpoint, step: StepRecord
    ) -> int | None:
        """Return the number of the run if the guard held."""
        numbers = self._change(handle, sql, values, checkpoint)
        if numbers is None:
            return None
        run, session = numbers
        row = write_step(run, step, session, checkpoint.lease.fence, checkpoint.seq)
        handle.execute(_STEP_INSERT, row)
        return run

    def _change(
        self, handle: Handle, sql: str, values: Params, checkpoint: Checkpoint
    ) -> tuple[int, int] | None:
        """Return the numbers of the run and the session if the guard held."""
        lease: Lease = checkpoint.lease
        run = self._numbers.run(handle, lease.run_id, lease.instance_id)
        session = self._numbers.session(handle, lease.session)
        if run is None or session is None:
            return None
        guard = (run, lease.scope, pack_index(lease.index), session, lease.fence, checkpoint.seq)
        if handle.execute(sql, (*values, *guard)).rowcount == 1:
            return run, session
        return None


# Bound once, because every step asks: finding a member in its enum takes several times as long.
_SUCCEEDED: Final = StepStatus.SUCCEEDED
