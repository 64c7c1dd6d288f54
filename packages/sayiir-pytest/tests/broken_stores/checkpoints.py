"""Bugs at a commit; the names of the ports' methods say what they do."""

# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from broken_stores.making import Broken
from sayiir_core.ids import RunId
from sayiir_core.snapshot.answer import COMMITTED, REPLAYED, Answer, Committed
from sayiir_core.snapshot.effect import Arrive, Checkpoint, Spawn
from sayiir_core.snapshot.head import CursorKey, CursorState
from sayiir_pytest.conformance import (
    CheckpointConformance,
    EquivalenceConformance,
)
from sayiir_runtime.memory.checkpoints import MemoryCheckpoints


class BrokenCheckpoints(Broken):
    """Break the checkpoint port."""

    port = "checkpoints"


class DropsAFence(MemoryCheckpoints):
    """Compare the session and the count of commits, but no fence."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        return super().commit([self._unfenced(checkpoint) for checkpoint in batch])

    def _unfenced(self, checkpoint: Checkpoint) -> Checkpoint:
        lease = checkpoint.lease
        run = self._store.runs.get(lease.instance_id)
        cursor = None if run is None else run.head.cursors.get(lease.key)
        if cursor is None or cursor.session is None:
            return checkpoint
        return replace(checkpoint, lease=replace(lease, fence=cursor.fence, session=cursor.session))


class TestDropsAFence(BrokenCheckpoints, CheckpointConformance):
    broken = DropsAFence


class LosesAnUpdate(MemoryCheckpoints):
    """Write the first checkpoint of each cursor in a batch over the later ones."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        seen: set[tuple[RunId, CursorKey]] = set()
        answers: list[Answer] = []
        for checkpoint in batch:
            place = (checkpoint.lease.run_id, checkpoint.lease.key)
            answers.extend([COMMITTED] if place in seen else super().commit([checkpoint]))
            seen.add(place)
        return answers


class TestLosesAnUpdate(BrokenCheckpoints, CheckpointConformance):
    broken = LosesAnUpdate


class SpawnsWithoutTheHold(MemoryCheckpoints):
    """Forget that a run may have been paused or cancelled when its fork is written."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        answers = super().commit(batch)
        for checkpoint in batch:
            if any(isinstance(effect, Spawn) for effect in checkpoint.effects):
                run = self._store.runs[checkpoint.lease.instance_id]
                for cursor in run.head.cursors.values():
                    cursor.held = cursor.held and cursor.state is CursorState.JOINING
                self._store.reindex(run)
        return answers


class TestSpawnsWithoutTheHold(BrokenCheckpoints, CheckpointConformance):
    broken = SpawnsWithoutTheHold


class CountsTwoArrivalsAsOne(MemoryCheckpoints):
    """Count a parent down once per batch, as an ``UPDATE`` joined with two arrivals does."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        answers: list[Answer] = []
        seen: set[tuple[RunId, CursorKey]] = set()
        for checkpoint in batch:
            parents = {e.parent for e in checkpoint.effects if isinstance(e, Arrive)}
            for parent in parents:
                run = self._store.runs[checkpoint.lease.instance_id]
                place = (checkpoint.lease.run_id, parent)
                if place in seen and parent in run.head.cursors:
                    run.head.cursors[parent].pending += 1
                seen.add(place)
            answers.extend(super().commit([checkpoint]))
        return answers


class TestCountsTwoArrivalsAsOne(BrokenCheckpoints, CheckpointConformance):
    broken = CountsTwoArrivalsAsOne


class TestCountsTwoArrivalsAsOneInGeneral(BrokenCheckpoints, EquivalenceConformance):
    broken = CountsTwoArrivalsAsOne


class AppliesAReplayTwice(MemoryCheckpoints):
    """Recognise a repetition, but only after its record was appended."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        answers = super().commit(batch)
        for checkpoint, answer in zip(batch, answers, strict=True):
            run = self._store.runs.get(checkpoint.lease.instance_id)
            if answer == REPLAYED and run is not None and run.steps:
                run.record(run.steps[-1])
        return answers


class TestAppliesAReplayTwice(BrokenCheckpoints, CheckpointConformance):
    broken = AppliesAReplayTwice


class ForgetsToSayReplayed(MemoryCheckpoints):
    """Answer a repetition as if it were written now."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        return [COMMITTED if answer == REPLAYED else answer for answer in super().commit(batch)]


class TestForgetsToSayReplayed(BrokenCheckpoints, CheckpointConformance):
    broken = ForgetsToSayReplayed


class KeepsAHeldCursor(MemoryCheckpoints):
    """Let the writer go on with a cursor although its run was paused meanwhile."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        answers = super().commit(batch)
        for checkpoint, answer in zip(batch, answers, strict=True):
            run = self._store.runs.get(checkpoint.lease.instance_id)
            cursor = None if run is None else run.head.cursors.get(checkpoint.lease.key)
            if run is not None and cursor is not None and answer == Committed(held=True):
                cursor.session = checkpoint.lease.session
                self._store.reindex(run)
        return answers


class TestKeepsAHeldCursor(BrokenCheckpoints, CheckpointConformance):
    broken = KeepsAHeldCursor


class TestKeepsAHeldCursorInGeneral(BrokenCheckpoints, EquivalenceConformance):
    broken = KeepsAHeldCursor
