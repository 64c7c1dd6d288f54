"""Keep inboxes and deliver signals, in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sayiir_core.ids import InstanceId
from sayiir_core.snapshot import control
from sayiir_core.snapshot.head import PendingSignal
from sayiir_core.snapshot.inbox import expire
from sayiir_runtime.memory.row import Inbox
from sayiir_runtime.memory.store import Store


class MemorySignals:
    """The signal port of the memory backend."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    def send(self, instance_id: InstanceId, name: str, payload: bytes) -> int:
        """Deliver to a cursor that waits for the name, or keep for the next one."""
        store = self._store
        with store.turn:
            now = store.clock.now()
            run = store.runs.get(instance_id)
            inbox = store.inboxes.get(instance_id)
            if inbox is None:
                pending = [] if run is None else run.head.inbox
                inbox = store.inboxes[instance_id] = Inbox(pending)
            inbox.last += 1
            inbox.payloads[inbox.last] = payload
            signal = PendingSignal(seq=inbox.last, name=name, received_at=now)
            if run is None:
                inbox.pending.append(signal)
                return inbox.last
            cursor = control.send(run.head, signal, now)
            if cursor is not None:
                store.refresh(run.tickets[cursor.key])
            return inbox.last

    def pending(self, instance_id: InstanceId) -> list[PendingSignal]:
        """Return the signals that nothing has consumed, oldest first."""
        with self._store.lock:
            inbox = self._store.inboxes.get(instance_id)
            return [] if inbox is None else [replace(signal) for signal in inbox.pending]

    def expire(self, *, received_before: datetime, limit: int) -> int:
        """Remove up to ``limit`` old signals that nothing will consume; returns how many."""
        store = self._store
        with store.lock:
            removed = 0
            for instance_id, inbox in list(store.inboxes.items()):
                run = store.runs.get(instance_id)
                state = None if run is None else run.head.header.state
                expired = expire(
                    inbox.pending, state, received_before=received_before, limit=limit - removed
                )
                for signal in expired:
                    del inbox.payloads[signal.seq]
                removed += len(expired)
            return removed
