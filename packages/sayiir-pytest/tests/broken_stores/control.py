"""Bugs with requests; the names of the ports' methods say what they do."""

# ruff: noqa: D102

from __future__ import annotations

from dataclasses import replace

from broken_stores.making import Broken
from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.head import Head
from sayiir_pytest.conformance import (
    ControlConformance,
    EquivalenceConformance,
)
from sayiir_runtime.memory.control import MemoryControl


class BrokenControl(Broken):
    """Break the control port."""

    port = "control"


class ForgetsToHoldOnCancel(MemoryControl):
    """Change the state and leave it to the workers to notice."""

    def cancel(self, instance_id: InstanceId, *, reason: str | None, by: str | None) -> Head:
        super().cancel(instance_id, reason=reason, by=by)
        run = self._store.runs[instance_id]
        for cursor in run.head.cursors.values():
            cursor.held = False
        self._store.reindex(run)
        return replace(run.head)


class TestForgetsToHoldOnCancel(BrokenControl, ControlConformance):
    broken = ForgetsToHoldOnCancel


class TestForgetsToHoldOnCancelInGeneral(BrokenControl, EquivalenceConformance):
    broken = ForgetsToHoldOnCancel


class RetriesWhileBodiesRun(MemoryControl):
    """Revive a failed run without waiting for the siblings that run on."""

    def retry(self, instance_id: InstanceId) -> Head:
        run = self._store.run(instance_id)
        for ticket in run.tickets.values():
            if ticket.cursor.session is not None:
                self._store.release(ticket)
        return super().retry(instance_id)


class TestRetriesWhileBodiesRun(BrokenControl, ControlConformance):
    broken = RetriesWhileBodiesRun
