"""Keep inboxes and deliver signals."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from sayiir_core.ids import InstanceId
from sayiir_core.keyvalue import key
from sayiir_core.keyvalue.change import Decision, Documents
from sayiir_core.keyvalue.document import InstanceDocument, decode_instance
from sayiir_core.keyvalue.row import Row, acknowledge_consumed, digest
from sayiir_core.keyvalue.scan import scan_all
from sayiir_core.ports.clock import Clock
from sayiir_core.snapshot import control
from sayiir_core.snapshot.head import PendingSignal
from sayiir_core.snapshot.inbox import expire


class KeyValueSignals:
    """The signal port over documents."""

    __slots__ = ("_clock", "_documents")

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock

    def send(self, instance_id: InstanceId, name: str, payload: bytes) -> int:
        """Deliver to a cursor that waits for the name, or keep for the next one."""
        decide = partial(self._decide, instance_id, name, payload)
        return self._documents.change(instance_id, decide)

    def _decide(
        self, instance_id: InstanceId, name: str, payload: bytes, document: InstanceDocument
    ) -> Decision[int]:
        now = self._clock.now()
        document.last_signal += 1
        seq = document.last_signal
        index = key.consumed_key(instance_id, seq)
        place = key.signal_key(instance_id, seq, document.revision + 1, digest(payload))
        document.payloads[seq] = place
        signal = PendingSignal(seq=seq, name=name, received_at=now)
        if document.head is None:
            document.inbox.append(signal)
        elif control.send(document.head, signal, now) is not None:
            acknowledge_consumed(document, index, seq)
        return Decision(seq, rows=[Row(place, payload, index)])

    def pending(self, instance_id: InstanceId) -> list[PendingSignal]:
        """Return the signals that nothing has consumed, oldest first."""
        return self._documents.read(instance_id).inbox

    def expire(self, *, received_before: datetime, limit: int) -> int:
        """Remove up to ``limit`` old signals that nothing will consume; returns how many."""
        store, removed = self._documents.store, 0
        for place, value in scan_all(store, key.INSTANCES):
            if removed >= limit:
                break
            decide = partial(_expire, received_before, limit - removed)
            if not decide(decode_instance(value)).write:
                continue
            payloads = self._documents.change(key.instance_of(place), decide)
            for payload in payloads:
                store.delete(payload)
            removed += len(payloads)
        return removed


def _expire(
    received_before: datetime, limit: int, document: InstanceDocument
) -> Decision[list[str]]:
    state = None if document.head is None else document.head.header.state
    expired = expire(document.inbox, state, received_before=received_before, limit=limit)
    payloads = [document.payloads.pop(signal.seq) for signal in expired]
    return Decision(payloads, write=bool(payloads))
