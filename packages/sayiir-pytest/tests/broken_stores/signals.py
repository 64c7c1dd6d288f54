"""Bugs with signals; the names of the ports' methods say what they do."""

# ruff: noqa: ARG002, D102

from __future__ import annotations

from datetime import datetime, timedelta

from broken_stores.making import Broken
from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.head import CursorState, PendingSignal
from sayiir_core.snapshot.inbox import expire
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


class ExpiresWhatMayGoOn(MemorySignals):
    """Look at the age of a signal alone."""

    def expire(self, *, received_before: datetime, limit: int) -> int:
        removed = 0
        for inbox in self._store.inboxes.values():
            removed += len(
                expire(inbox.pending, None, received_before=received_before, limit=limit)
            )
        return removed


class TestExpiresWhatMayGoOn(BrokenSignals, SignalConformance):
    broken = ExpiresWhatMayGoOn


class TestExpiresWhatMayGoOnInGeneral(BrokenSignals, EquivalenceConformance):
    broken = ExpiresWhatMayGoOn


class ExpiresWithoutEnd(MemorySignals):
    """Ignore the limit."""

    def expire(self, *, received_before: datetime, limit: int) -> int:
        return super().expire(received_before=received_before, limit=10**6)


class TestExpiresWithoutEnd(BrokenSignals, SignalConformance):
    broken = ExpiresWithoutEnd


class ExpiresAtTheInstant(MemorySignals):
    """Take what was received at the very instant that is given."""

    def expire(self, *, received_before: datetime, limit: int) -> int:
        late = received_before + timedelta(microseconds=1)
        return super().expire(received_before=late, limit=limit)


class TestExpiresAtTheInstant(BrokenSignals, SignalConformance):
    broken = ExpiresAtTheInstant


class NumbersAnew(MemorySignals):
    """Forget an inbox that is empty."""

    def expire(self, *, received_before: datetime, limit: int) -> int:
        removed = super().expire(received_before=received_before, limit=limit)
        for inbox in self._store.inboxes.values():
            inbox.last = inbox.last if inbox.pending else 0
        return removed


class TestNumbersAnew(BrokenSignals, SignalConformance):
    broken = NumbersAnew


class ExpiresTheConsumed(MemorySignals):
    """Drop the payloads of consumed signals with the others."""

    def expire(self, *, received_before: datetime, limit: int) -> int:
        removed = super().expire(received_before=received_before, limit=limit)
        for inbox in self._store.inboxes.values():
            pending = {signal.seq for signal in inbox.pending}
            inbox.payloads = {seq: it for seq, it in inbox.payloads.items() if seq in pending}
        return removed


class TestExpiresTheConsumed(BrokenSignals, SignalConformance):
    broken = ExpiresTheConsumed
