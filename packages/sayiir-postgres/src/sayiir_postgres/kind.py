"""Which checkpoints the fast path takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

from sayiir_core.ids import Index, RunId
from sayiir_core.snapshot.effect import (
    Arrive,
    Checkpoint,
    Effect,
    Finish,
    Move,
    Record,
    Retry,
    Sleep,
    Spawn,
    Start,
)
from sayiir_core.snapshot.step import StepRecord, StepStatus

Numbered = tuple[int, Checkpoint]
"""A checkpoint with its position in the batch."""

_Place = tuple[RunId, int, Index]


class Kind(IntEnum):
    """What a row of ``commit.sql`` does; a parent is only locked."""

    PARENT = 0
    START = 1
    MOVE = 2
    FORK = 3
    RETRY = 4
    ARRIVE = 5
    FINISH = 6


# Open to positional arguments and plain: one is made per step.
@dataclass(slots=True)
class Plain:
    """A checkpoint of a kind, taken apart; ``last`` is its last effect."""

    numbered: Numbered
    kind: Kind
    step: StepRecord | None
    move: Move | None
    last: Effect

    @property
    def at(self) -> datetime | None:
        """Return when the cursor is due again, None if that is not in the checkpoint."""
        last = self.last
        if type(last) is Sleep:
            return last.until
        return last.at if type(last) is Retry else None


_ALONE: Final[dict[type[Effect], Kind]] = {
    Move: Kind.MOVE,
    Arrive: Kind.ARRIVE,
    Finish: Kind.FINISH,
    Retry: Kind.RETRY,
    Start: Kind.START,
}
_BEHIND_MOVE: Final[dict[type[Effect], Kind]] = {Sleep: Kind.MOVE, Spawn: Kind.FORK}


def plain(numbered: Numbered) -> Plain | None:
    """Take a checkpoint apart, None if it takes the slow path."""
    checkpoint = numbered[1]
    effects = checkpoint.effects
    step: StepRecord | None = None
    if effects and type(effects[0]) is Record:
        step = effects[0].step
        effects = effects[1:]
    if len(effects) == 1:
        last = effects[0]
        kind = _ALONE.get(type(last))
        if kind is None or not _is_usual(kind, step, keep=checkpoint.keep):
            return None
        return Plain(numbered, kind, step, last if type(last) is Move else None, last)
    if len(effects) == 2 and type(effects[0]) is Move:
        kind = _BEHIND_MOVE.get(type(effects[1]))
        return None if kind is None else Plain(numbered, kind, step, effects[0], effects[1])
    return None


def _is_usual(kind: Kind, step: StepRecord | None, *, keep: bool) -> bool:
    if kind is Kind.RETRY:
        return step is not None and step.status is not StepStatus.SUCCEEDED
    return kind is not Kind.START or (step is None and keep)


def split(batch: Sequence[Numbered]) -> tuple[list[Plain], list[Numbered]]:
    """Divide a batch into what one statement can write and the slow rest, each in order.

    The statement is for one session and writes no cursor twice. The records of a run keep the order
    of the batch, so all checkpoints of a run go the same way.
    """
    parts = [plain(numbered) for numbered in batch]
    slow_runs = _slow_runs(batch, parts)
    fast: list[Plain] = []
    slow: list[Numbered] = []
    for numbered, part in zip(batch, parts, strict=True):
        if part is None or numbered[1].lease.run_id in slow_runs:
            slow.append(numbered)
        else:
            fast.append(part)
    return fast, slow


def _slow_runs(batch: Sequence[Numbered], parts: Sequence[Plain | None]) -> set[RunId]:
    session = batch[0][1].lease.session if batch else None
    slow: set[RunId] = set()
    places: set[_Place] = set()
    counts: dict[RunId, int] = {}
    for (_, checkpoint), part in zip(batch, parts, strict=True):
        lease = checkpoint.lease
        place = (lease.run_id, lease.scope, lease.index)
        if part is None or place in places or lease.session != session:
            slow.add(lease.run_id)
        places.add(place)
        counts[lease.run_id] = counts.get(lease.run_id, 0) + 1
    for part in parts:
        if part is None:
            continue
        run_id = part.numbered[1].lease.run_id
        if type(part.last) is Arrive:
            if (run_id, *part.last.parent) in places:
                slow.add(run_id)
        elif type(part.last) is Finish and counts[run_id] > 1:
            slow.add(run_id)
    return slow
