"""Bugs with rows that are too large; the names of the ports' methods say what they do."""

# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Sequence

from broken_stores.checkpoints import BrokenCheckpoints
from sayiir_core.snapshot.answer import Answer, Refused
from sayiir_core.snapshot.effect import Checkpoint, Record
from sayiir_pytest.conformance import CheckpointConformance
from sayiir_runtime.memory.checkpoints import MemoryCheckpoints

LIMIT = 1000
"""The bytes that an output may have in these stores."""

REFUSED = Refused("too large")


class BrokenRefusals(BrokenCheckpoints):
    """Break the checkpoint port of a store with a limit."""

    payload_limit = LIMIT


def is_too_large(checkpoint: Checkpoint) -> bool:
    """Tell whether a checkpoint has an output over the limit."""
    records = [effect for effect in checkpoint.effects if isinstance(effect, Record)]
    return any(len(record.step.output or b"") > LIMIT for record in records)


class AbandonsTheBatch(MemoryCheckpoints):
    """Refuse whatever stands behind a row that is refused."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        bad = next((n for n, it in enumerate(batch) if is_too_large(it)), len(batch))
        return [*super().commit(batch[:bad]), *[REFUSED] * (len(batch) - bad)]


class TestAbandonsTheBatch(BrokenRefusals, CheckpointConformance):
    broken = AbandonsTheBatch


class StoresWhatItRefuses(MemoryCheckpoints):
    """Write the checkpoint and complain afterwards."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        answers = super().commit(batch)
        return [
            REFUSED if is_too_large(checkpoint) else answer
            for checkpoint, answer in zip(batch, answers, strict=True)
        ]


class TestStoresWhatItRefuses(BrokenRefusals, CheckpointConformance):
    broken = StoresWhatItRefuses


class ReleasesWhatItRefuses(MemoryCheckpoints):
    """Take the cursor away from the writer of a row that is refused."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        return [self._one(checkpoint) for checkpoint in batch]

    def _one(self, checkpoint: Checkpoint) -> Answer:
        if not is_too_large(checkpoint):
            return super().commit([checkpoint])[0]
        run = self._store.runs[checkpoint.lease.instance_id]
        self._store.release(run.tickets[checkpoint.lease.key])
        return REFUSED


class TestReleasesWhatItRefuses(BrokenRefusals, CheckpointConformance):
    broken = ReleasesWhatItRefuses


class GoesOnBehindWhatItRefuses(MemoryCheckpoints):
    """Count the refused commit, so that the next one of the cursor fits."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        answers: list[Answer] = []
        for checkpoint in batch:
            if is_too_large(checkpoint):
                run = self._store.runs[checkpoint.lease.instance_id]
                run.head.cursors[checkpoint.lease.key].seq += 1
                answers.append(REFUSED)
            else:
                answers.extend(super().commit([checkpoint]))
        return answers


class TestGoesOnBehindWhatItRefuses(BrokenRefusals, CheckpointConformance):
    broken = GoesOnBehindWhatItRefuses


class CountsARefusedArrival(MemoryCheckpoints):
    """Refuse the record of a branch, but count its arrival."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        answers: list[Answer] = []
        for checkpoint in batch:
            if is_too_large(checkpoint):
                run = self._store.runs[checkpoint.lease.instance_id]
                for cursor in run.head.cursors.values():
                    cursor.pending -= 1 if cursor.pending else 0
                answers.append(REFUSED)
            else:
                answers.extend(super().commit([checkpoint]))
        return answers


class TestCountsARefusedArrival(BrokenRefusals, CheckpointConformance):
    broken = CountsARefusedArrival
