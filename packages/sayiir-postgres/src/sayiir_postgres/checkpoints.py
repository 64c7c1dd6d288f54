"""Write checkpoints: a fast path for the commonest, a transaction for the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from sayiir_core.errors import BackendError, RefusedRowError
from sayiir_core.snapshot.answer import COMMITTED, Answer
from sayiir_core.snapshot.effect import Checkpoint, Record
from sayiir_postgres.batch import commit_batch
from sayiir_postgres.connections import Connection
from sayiir_postgres.database import STUBBORN, Database
from sayiir_postgres.errors import BAD_ROWS
from sayiir_postgres.lanes import Lanes
from sayiir_postgres.linear import Kind, Numbered, kind_of, move_one, split, write_many

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
        recognised. If some rows are bad, the others are stored before the error is raised.
        """
        if len(batch) == 1 and self._moved(batch[0]):
            return [COMMITTED]
        answers: dict[int, Answer] = {}
        refused: list[BackendError] = []
        good = [it for it in enumerate(batch) if not self._too_large(it[1], refused)]
        for portion in _portions(good):
            self._commit_portion(portion, answers, refused)
        if refused:
            raise refused[0]
        return [answers[position] for position in range(len(batch))]

    def _moved(self, checkpoint: Checkpoint) -> bool:
        return (
            checkpoint.keep
            and kind_of(checkpoint) is Kind.MOVE
            and _size(checkpoint) <= self._max_payload_bytes
            and move_one(self._database, checkpoint)
        )

    def _commit_portion(
        self, portion: list[Numbered], answers: dict[int, Answer], refused: list[BackendError]
    ) -> None:
        fast, slow = split(portion)
        for kind, some in fast.items():
            written = write_many(self._database, kind, some)
            answers.update(dict.fromkeys(written, COMMITTED))
            slow += (it for it in some if it[0] not in written)
        self._commit_slowly(sorted(slow, key=lambda it: it[0]), answers, refused)

    def _commit_slowly(
        self, slow: list[Numbered], answers: dict[int, Answer], refused: list[BackendError]
    ) -> None:
        """Commit in one transaction; halve it where the server refuses a row, to find which."""
        parts = [slow] if slow else []
        while parts:
            part = parts.pop()
            try:
                found = self._commit_part([checkpoint for _, checkpoint in part])
            except BackendError as error:
                if error.transient:
                    raise
                refused.append(error)
                continue
            if found is None:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
            else:
                answers.update(zip((position for position, _ in part), found, strict=True))

    def _commit_part(self, part: list[Checkpoint]) -> list[Answer] | None:
        def work(connection: Connection) -> list[Answer] | None:
            try:
                return commit_batch(self._database, connection, self._lanes, part)
            except BAD_ROWS:
                if len(part) == 1:
                    raise
                return None

        return self._database.run(work, patience=STUBBORN)

    def _too_large(self, checkpoint: Checkpoint, refused: list[BackendError]) -> bool:
        size = _size(checkpoint)
        if size <= self._max_payload_bytes:
            return False
        refused.append(
            RefusedRowError(
                f"an output of instance {checkpoint.lease.instance_id!r} has {size} bytes, more "
                f"than max_payload_bytes={self._max_payload_bytes}; store it elsewhere and pass "
                f"its name, or raise the limit",
                instance_id=checkpoint.lease.instance_id,
            )
        )
        return True


def _portions(batch: list[Numbered]) -> Iterator[list[Numbered]]:
    """Divide a batch, in order, so that no statement grows without bound."""
    portion: list[Numbered] = []
    weight = 0
    for numbered in batch:
        size = _size(numbered[1])
        if portion and (weight + size > _PORTION_BYTES or len(portion) == _PORTION_COUNT):
            yield portion
            portion, weight = [], 0
        portion.append(numbered)
        weight += size
    if portion:
        yield portion


def _size(checkpoint: Checkpoint) -> int:
    return sum(
        len(effect.step.output)
        for effect in checkpoint.effects
        if type(effect) is Record and effect.step.output is not None
    )
