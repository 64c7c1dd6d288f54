"""Bugs that no reading call shows; the names of the ports' methods say what they do."""

# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from test_memory_conformance import MemoryRaw

from broken_stores.checkpoints import AppliesAReplayTwice
from broken_stores.making import Broken
from sayiir_core.snapshot.answer import Answer
from sayiir_core.snapshot.effect import Checkpoint, Record
from sayiir_pytest.conformance import RawConformance
from sayiir_pytest.conformance.rig import Rig
from sayiir_runtime.memory.checkpoints import MemoryCheckpoints
from sayiir_runtime.memory.instances import MemoryInstances


class BrokenInside(Broken, RawConformance):
    """Break a port, and look at what is kept."""

    port = "checkpoints"

    def raw_store(self, rig: Rig, _location: Any) -> MemoryRaw:
        backend: Any = rig.backend
        return MemoryRaw(backend._store)


class TestAppliesAReplayTwiceInside(BrokenInside):
    broken = AppliesAReplayTwice


class CopiesTheInput(MemoryCheckpoints):
    """Keep with every record a copy of what the step was given, for tools that might ask."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        answers = super().commit(batch)
        for checkpoint in batch:
            run = self._store.runs.get(checkpoint.lease.instance_id)
            is_recorded = any(isinstance(effect, Record) for effect in checkpoint.effects)
            if run is not None and is_recorded:
                node, turns, attempt, status, _, *rest = run.steps[-1]
                run.steps.append((-1 - node, turns, attempt, status, run.input, *rest))
        return answers


class TestCopiesTheInput(BrokenInside):
    broken = CopiesTheInput


class LeavesSignalsBehind(MemoryInstances):
    """Prune a run, and forget the signals that it has used."""

    def prune(self, *, finished_before: datetime, limit: int) -> int:
        before = dict(self._store.inboxes)
        removed = super().prune(finished_before=finished_before, limit=limit)
        for instance_id, inbox in before.items():
            inbox.pending.clear()
            self._store.inboxes.setdefault(instance_id, inbox)
        return removed


class TestLeavesSignalsBehind(BrokenInside):
    port = "instances"
    broken = LeavesSignalsBehind
