"""Bugs with the branches that a writer takes; the names of the ports' methods say what they do."""

# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from broken_stores.hints import BrokenHints, in_silence
from broken_stores.making import Broken
from sayiir_core.snapshot.answer import HELD, REPLAYED, Answer, Claim, Committed
from sayiir_core.snapshot.effect import Checkpoint, Spawn
from sayiir_core.snapshot.head import CursorState
from sayiir_core.snapshot.motion import grant
from sayiir_pytest.conformance import CheckpointConformance, EquivalenceConformance
from sayiir_runtime.memory.checkpoints import MemoryCheckpoints


class BrokenTaking(Broken):
    """Break the checkpoint port."""

    port = "checkpoints"


def _spawned(checkpoint: Checkpoint) -> frozenset[int]:
    last = checkpoint.effects[-1]
    return frozenset(it.scope for it in last.children) if isinstance(last, Spawn) else frozenset()


class GrantsEveryBranch(MemoryCheckpoints):
    """Give the writer all branches as soon as it takes one."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        return super().commit([replace(it, take=it.take and _spawned(it)) for it in batch])


class TestGrantsEveryBranch(BrokenTaking, CheckpointConformance):
    broken = GrantsEveryBranch


class TestGrantsEveryBranchInGeneral(BrokenTaking, EquivalenceConformance):
    broken = GrantsEveryBranch


class GrantsNoBranch(MemoryCheckpoints):
    """Queue all branches, whatever the writer takes."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        return super().commit([replace(it, take=frozenset()) for it in batch])


class TestGrantsNoBranch(BrokenTaking, CheckpointConformance):
    broken = GrantsNoBranch


class GrantsAHeldBranch(MemoryCheckpoints):
    """Give the branches that are taken although the run was paused or cancelled meanwhile."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        answers = super().commit(batch)
        return [
            Committed(held=True, claims=self._given(checkpoint)) if answer == HELD else answer
            for checkpoint, answer in zip(batch, answers, strict=True)
        ]

    def _given(self, checkpoint: Checkpoint) -> tuple[Claim, ...]:
        run = self._store.runs[checkpoint.lease.instance_id]
        born = [it for it in run.head.cursors.values() if it.scope in checkpoint.take]
        claims = [grant(run.head, it, checkpoint.lease.session) for it in born]
        self._store.reindex(run)
        return tuple(claims)


class TestGrantsAHeldBranch(BrokenTaking, CheckpointConformance):
    broken = GrantsAHeldBranch


class GrantsAgainWhenRepeated(MemoryCheckpoints):
    """Answer a repeated fork with its branches, under new fences."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        answers = super().commit(batch)
        return [
            Committed(replayed=True, claims=self._given(checkpoint))
            if answer == REPLAYED
            else answer
            for checkpoint, answer in zip(batch, answers, strict=True)
        ]

    def _given(self, checkpoint: Checkpoint) -> tuple[Claim, ...]:
        run = self._store.runs[checkpoint.lease.instance_id]
        session = checkpoint.lease.session
        mine = [it for it in run.head.cursors.values() if it.session == session and it.scope]
        return tuple(grant(run.head, it, session) for it in mine)


class TestGrantsAgainWhenRepeated(BrokenTaking, CheckpointConformance):
    broken = GrantsAgainWhenRepeated


class GrantsWithoutHolding(MemoryCheckpoints):
    """Answer the claims, but leave the branches in the queue for anybody."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        answers = super().commit(batch)
        for checkpoint in batch:
            run = self._store.runs.get(checkpoint.lease.instance_id)
            for cursor in run.head.cursors.values() if run is not None else ():
                if cursor.scope in checkpoint.take and cursor.state is CursorState.READY:
                    cursor.session = None
            if run is not None:
                self._store.reindex(run)
        return answers


class TestGrantsWithoutHolding(BrokenTaking, CheckpointConformance):
    broken = GrantsWithoutHolding


class QueuesTheRestInSilence(MemoryCheckpoints):
    """Tell nobody of the branches that the writer leaves as soon as it takes one."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        if any(checkpoint.take for checkpoint in batch):
            with in_silence(self._store):
                return super().commit(batch)
        return super().commit(batch)


class TestQueuesTheRestInSilence(BrokenHints):
    port, broken = "checkpoints", QueuesTheRestInSilence
