"""Write checkpoints: one statement for those of the usual kinds, a transaction for the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from sayiir_core.snapshot.answer import COMMITTED, Answer, Refused
from sayiir_core.snapshot.effect import Checkpoint, Record
from sayiir_postgres.batch import commit_batch
from sayiir_postgres.connections import Connection
from sayiir_postgres.database import STUBBORN, Database
from sayiir_postgres.errors import BAD_ROWS, BAD_VALUES
from sayiir_postgres.fastpath import write_plain
from sayiir_postgres.kind import Numbered, Plain, split
from sayiir_postgres.lanes import Lanes
from sayiir_postgres.single import write_single

T = TypeVar("T")

_PORTION_BYTES: Final = 16 * 1024 * 1024
_PORTION_COUNT: Final = 1000


class PostgresCheckpoints:
    """The checkpoint port."""

    def __init__(self, database: Database, lanes: Lanes, *, max_payload_bytes: int) -> None:
        self._database = database
        self._lanes = lanes
        self._max_payload_bytes = max_payload_bytes

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        """Apply checkpoints; one answer each, in order.

        A connection that breaks is replaced and the batch sent again, since a repetition is
        recognised.
        """
        if len(batch) == 1 and self._written_alone(batch[0]):
            return [COMMITTED]
        answers: dict[int, Answer] = {}
        good: list[tuple[Numbered, int]] = []
        for numbered in enumerate(batch):
            size = _size(numbered[1])
            if size <= self._max_payload_bytes:
                good.append((numbered, size))
            else:
                answers[numbered[0]] = Refused(self._problem(numbered[1], size))
        for portion in _portions(good):
            fast, slow = split(portion)
            self._commit_fast(fast, answers)
            slow += (it.numbered for it in fast if it.numbered[0] not in answers)
            self._commit_slowly(sorted(slow, key=lambda it: it[0]), answers)
        return [answers[position] for position in range(len(batch))]

    def _written_alone(self, checkpoint: Checkpoint) -> bool:
        within = _size(checkpoint) <= self._max_payload_bytes
        return within and write_single(self._database, checkpoint)

    def _commit_fast(self, fast: list[Plain], answers: dict[int, Answer]) -> None:
        """Write what is plain; halve it where a row is refused, and leave that one out."""
        parts = [fast] if fast else []
        while parts:
            part = parts.pop()
            found = write_plain(self._database, part)
            if found is not None:
                answers.update(found)
            elif len(part) > 1:
                parts += _halves(part)

    def _commit_slowly(self, slow: list[Numbered], answers: dict[int, Answer]) -> None:
        """Commit in one transaction; halve it where a row is refused, to find which."""
        parts = [slow] if slow else []
        while parts:
            part = parts.pop()
            found = self._commit_part([checkpoint for _, checkpoint in part])
            if found is None:
                parts += _halves(part)
            else:
                answers.update(zip((position for position, _ in part), found, strict=True))

    def _commit_part(self, part: list[Checkpoint]) -> list[Answer] | None:
        """Commit together; None if one of several is refused."""

        def work(connection: Connection) -> list[Answer] | None:
            try:
                return commit_batch(self._database, connection, self._lanes, part)
            except (*BAD_ROWS, *BAD_VALUES) as error:
                if len(part) > 1:
                    return None
                reason = self._database.error(error)
                return [Refused(f"instance {part[0].lease.instance_id!r}: {reason}")]

        return self._database.run(work, patience=STUBBORN)

    def _problem(self, checkpoint: Checkpoint, size: int) -> str:
        return (
            f"an output of instance {checkpoint.lease.instance_id!r} has {size} bytes, more than "
            f"max_payload_bytes={self._max_payload_bytes}; store it elsewhere and pass its name, "
            f"or raise the limit"
        )


def _halves(part: list[T]) -> list[list[T]]:
    """Return both halves; the first one stands last, to be taken first."""
    middle = len(part) // 2
    return [part[middle:], part[:middle]]


def _portions(batch: Sequence[tuple[Numbered, int]]) -> Iterator[list[Numbered]]:
    """Divide a batch, in order, so that no statement grows without bound."""
    portion: list[Numbered] = []
    weight = 0
    for numbered, size in batch:
        if portion and (weight + size > _PORTION_BYTES or len(portion) == _PORTION_COUNT):
            yield portion
            portion, weight = [], 0
        portion.append(numbered)
        weight += size
    if portion:
        yield portion


def _size(checkpoint: Checkpoint) -> int:
    size = 0
    for effect in checkpoint.effects:
        if type(effect) is Record and effect.step.output is not None:
            size += len(effect.step.output)
    return size
