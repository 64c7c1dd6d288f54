"""Bugs with signals; the names of the ports' methods say what they do."""

# ruff: noqa: D102

from __future__ import annotations

from datetime import timedelta

from broken_stores.making import Broken
from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.head import CursorState, PendingSignal
from sayiir_pytest.conformance import (
    EquivalenceConformance,
    RaceConformance,
    SignalConformance,
)
from sayiir_runtime.memory.signals import MemorySignals


class BrokenSignals(Broken):
    """Break the signal port."""

    port = "signals"


class ReordersSignals(MemorySignals):
    """Keep the newest signal in front."""

    def send(self, instance_id: InstanceId, name: str, payload: bytes) -> int:
        seq = super().send(instance_id, name, payload)
        self._store.inboxes[instance_id].pending.sort(key=lambda it: -it.seq)
        return seq


class TestReordersSignals(BrokenSignals, SignalConformance):
    broken = ReordersSignals


class TestReordersSignalsInGeneral(BrokenSignals, EquivalenceConformance):
    broken = ReordersSignals


class DeliversAtTheDeadline(MemorySignals):
    """Let a signal win that comes at the very instant of the deadline."""

    def send(self, instance_id: InstanceId, name: str, payload: bytes) -> int:
        run = self._store.runs.get(instance_id)
        late = timedelta(microseconds=1)
        for cursor in [] if run is None else run.head.cursors.values():
            if cursor.state is CursorState.AWAITING and cursor.available_at is not None:
                cursor.available_at += late
        return super().send(instance_id, name, payload)


class TestDeliversAtTheDeadline(BrokenSignals, SignalConformance):
    broken = DeliversAtTheDeadline


class ForgetsWhoWaits(MemorySignals):
    """Put a signal into the inbox without a look at who waits for it."""

    def send(self, instance_id: InstanceId, name: str, payload: bytes) -> int:
        seq = super().send(instance_id, "\0" + name, payload)
        pending = self._store.inboxes[instance_id].pending
        pending[-1] = PendingSignal(seq=seq, name=name, received_at=pending[-1].received_at)
        return seq


class TestForgetsWhoWaits(BrokenSignals, RaceConformance):
    broken = ForgetsWhoWaits
