"""The fast path of a commit: one statement, one round trip, no instance row.

It takes the three commonest checkpoints: a success and the move to the next node, a failure and
its retry, and the mark that a body starts. The statement changes a cursor only if the guard holds
on the row as locked, it is not held, and its session lives; everything else is left to the slow
path, which answers exactly. What it writes equals ``sayiir_core.snapshot.apply``, and is tested
to.

The statements compare the session by ``IS NOT DISTINCT FROM``, which no index serves: so the
planner stays with the primary key and never visits everything that a session holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import Enum
from typing import Any, cast

from sayiir_core.ids import RunId, pack_index
from sayiir_core.snapshot.effect import Checkpoint, Move, Record, Retry, Start
from sayiir_core.snapshot.head import CursorKey
from sayiir_core.snapshot.reference import Ref, encode_ref
from sayiir_core.snapshot.step import StepRow, StepStatus
from sayiir_postgres.connections import Connection
from sayiir_postgres.database import STUBBORN, Database
from sayiir_postgres.errors import BAD_ROWS
from sayiir_postgres.writes import step_columns

Numbered = tuple[int, Checkpoint]
"""A checkpoint with its position in the batch."""


class Kind(Enum):
    """The kinds of checkpoint that one statement can write, by the statement's name."""

    MOVE = "move_many"
    RETRY = "retry_many"
    START = "start_many"


def kind_of(checkpoint: Checkpoint) -> Kind | None:
    """Return the kind of a checkpoint, None if it takes the slow path."""
    effects = checkpoint.effects
    if len(effects) == 2:
        first, second = effects
        if type(first) is not Record:
            return None
        succeeded = first.step.status is StepStatus.SUCCEEDED
        if type(second) is Move and succeeded and first.step.error is None:
            return Kind.MOVE
        return Kind.RETRY if type(second) is Retry and not succeeded else None
    if len(effects) == 1 and type(effects[0]) is Start and checkpoint.keep:
        return Kind.START
    return None


def split(batch: Sequence[Numbered]) -> tuple[dict[Kind, list[Numbered]], list[Numbered]]:
    """Divide a batch into the fast ones by kind and the slow rest, each in order.

    A checkpoint may overtake others only if nothing else in the batch touches its cursor, and
    nothing slow or of another kind its run: the records of a run keep the order of the batch.
    """
    kinds = [kind_of(checkpoint) for _, checkpoint in batch]
    found: dict[RunId, set[Kind | None]] = {}
    for (_, checkpoint), kind in zip(batch, kinds, strict=True):
        found.setdefault(checkpoint.lease.run_id, set()).add(kind)
    slow_runs = {run for run, mixed in found.items() if None in mixed or len(mixed) > 1}
    uses = Counter(_place(checkpoint) for _, checkpoint in batch)
    fast: dict[Kind, list[Numbered]] = {}
    slow: list[Numbered] = []
    for numbered, kind in zip(batch, kinds, strict=True):
        checkpoint = numbered[1]
        alone = uses[_place(checkpoint)] == 1 and checkpoint.lease.run_id not in slow_runs
        if kind is not None and alone:
            fast.setdefault(kind, []).append(numbered)
        else:
            slow.append(numbered)
    return fast, slow


def _place(checkpoint: Checkpoint) -> tuple[RunId, CursorKey]:
    return checkpoint.lease.run_id, checkpoint.lease.key


def move_one(database: Database, checkpoint: Checkpoint) -> bool:
    """Write one kept success and move; False if the guard, a hold or the session is in the way."""
    parameters = _move_parameters(checkpoint) | {"now": database.clock.parameter()}
    text = database.statements["move_one"]

    def work(connection: Connection) -> bool:
        try:
            return connection.execute(text, parameters).rowcount == 1
        except BAD_ROWS:
            return False

    return database.run(work, patience=STUBBORN)


def write_many(database: Database, kind: Kind, batch: Sequence[Numbered]) -> set[int]:
    """Write checkpoints of one kind on different cursors; return the positions that were."""
    checkpoints = [checkpoint for _, checkpoint in batch]
    parameters = _columns(kind, checkpoints) | {"now": database.clock.parameter()}

    def work(connection: Connection) -> list[tuple[Any, ...]]:
        try:
            return database.statement(connection, kind.value, parameters)
        except BAD_ROWS:
            return []

    written = database.run(work, patience=STUBBORN)
    return {batch[position - 1][0] for (position,) in written}


def _move_parameters(checkpoint: Checkpoint) -> dict[str, Any]:
    lease = checkpoint.lease
    record, move = cast("tuple[Record, Move]", checkpoint.effects)
    step = record.step
    return {
        "session": lease.session,
        "run": lease.run_id,
        "scope": lease.scope,
        "idx": pack_index(lease.index),
        "fence": lease.fence,
        "seq": checkpoint.seq,
        "node": move.node,
        "turns": pack_index(move.turns),
        "input": encode_ref(move.input),
        "tags": move.group,
        "priority": move.priority,
        "step_node": step.node,
        "step_turns": pack_index(step.turns),
        "attempt": step.attempt,
        "verdict": None if step.verdict is None else step.verdict.value,
        "started_at": step.started_at,
        "finished_at": step.finished_at,
        "source": _text(step.source),
        "output": step.output,
    }


def _text(ref: Ref | None) -> str | None:
    return None if ref is None else encode_ref(ref)


def _columns(kind: Kind, batch: Sequence[Checkpoint]) -> dict[str, Any]:
    guard = {
        "run": [c.lease.run_id for c in batch],
        "scope": [c.lease.scope for c in batch],
        "idx": [pack_index(c.lease.index) for c in batch],
        "session": [c.lease.session for c in batch],
        "sessions": sorted({c.lease.session for c in batch}),
        "fence": [c.lease.fence for c in batch],
        "seq": [c.seq for c in batch],
    }
    if kind is Kind.START:
        return guard
    steps = _step_columns(batch)
    if kind is Kind.RETRY:
        retries = [cast("Retry", c.effects[1]) for c in batch]
        return {**steps, **guard, "at": [retry.at for retry in retries]}
    return {**steps, **guard, **_position_columns(batch)}


def _step_columns(batch: Sequence[Checkpoint]) -> dict[str, list[Any]]:
    rows = [
        (
            c.lease.run_id,
            StepRow(
                record=cast("Record", c.effects[0]).step,
                session=c.lease.session,
                fence=c.lease.fence,
                seq=c.seq,
            ),
        )
        for c in batch
    ]
    columns = step_columns(rows)
    columns["step_node"], columns["step_turns"] = columns.pop("node"), columns.pop("turns")
    return columns


def _position_columns(batch: Sequence[Checkpoint]) -> dict[str, list[Any]]:
    moves = [cast("Move", c.effects[1]) for c in batch]
    return {
        "keep": [c.keep for c in batch],
        "node": [move.node for move in moves],
        "turns": [pack_index(move.turns) for move in moves],
        "input": [encode_ref(move.input) for move in moves],
        "tags": [move.group for move in moves],
        "priority": [move.priority for move in moves],
    }
