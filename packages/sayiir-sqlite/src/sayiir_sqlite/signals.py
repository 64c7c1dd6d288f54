"""Signals: an inbox per instance id, also before there is an instance."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sayiir_core.ids import InstanceId
from sayiir_core.ports.wakeup import HintKind
from sayiir_core.snapshot import control
from sayiir_core.snapshot.head import PendingSignal
from sayiir_sqlite.clock import StoreClock, to_instant, to_micros
from sayiir_sqlite.connection import Handle
from sayiir_sqlite.database import Database
from sayiir_sqlite.heads import find_header, update_cursors
from sayiir_sqlite.limit import PayloadLimit
from sayiir_sqlite.statement import statement

_INBOX_NEXT: Final = statement("inbox_next")
_INBOX: Final = statement("inbox_of_instance")
_INSERT: Final = statement("signal_insert")
_PENDING: Final = statement("signals_pending")
_AWAITING: Final = statement("cursors_awaiting")
_EXPIRE: Final = statement("signals_expire")

_EXPIRED_AT_ONCE: Final = 500


class SQLiteSignals:
    """Send, list and remove signals."""

    __slots__ = ("_clock", "_database", "_limit")

    def __init__(self, database: Database, clock: StoreClock, limit: PayloadLimit) -> None:
        self._database = database
        self._clock = clock
        self._limit = limit

    def send(self, instance_id: InstanceId, name: str, payload: bytes) -> int:
        """Deliver to a cursor that waits for the name in time, or keep for the next one."""
        self._limit.check(payload, f"signal {name!r}", instance_id)
        with self._database.writing() as handle:
            now = self._clock.micros()
            handle.execute(_INBOX_NEXT, (instance_id,))
            row = handle.one(_INBOX, (instance_id,))
            assert row is not None
            inbox, seq = row
            signal = PendingSignal(seq=seq, name=name, received_at=to_instant(now))
            consumer = _deliver(handle, instance_id, signal)
            if consumer is not None:
                self._database.hint(HintKind.CLAIMABLE)
            handle.execute(_INSERT, (inbox, seq, name, now, consumer, payload))
        return int(seq)

    def pending(self, instance_id: InstanceId) -> list[PendingSignal]:
        """Return the signals that nothing has consumed, oldest first."""
        with self._database.reading() as handle:
            return pending_signals(handle, instance_id)

    def expire(self, *, received_before: datetime, limit: int) -> int:
        """Remove up to ``limit`` old signals that nothing will consume; returns how many.

        Goes in small transactions, so that others are not kept waiting. The inboxes go on counting.
        """
        cutoff, removed = to_micros(received_before), 0
        while removed < limit:
            wanted = min(_EXPIRED_AT_ONCE, limit - removed)
            with self._database.writing() as handle:
                found = handle.execute(_EXPIRE, (cutoff, wanted)).rowcount
            removed += found
            if found < wanted:
                break
        return removed


def pending_signals(handle: Handle, instance_id: InstanceId) -> list[PendingSignal]:
    """Return the signals of an inbox that nothing has consumed, oldest first."""
    return [
        PendingSignal(seq=seq, name=name, received_at=to_instant(received))
        for seq, name, received in handle.all(_PENDING, (instance_id,))
    ]


def _deliver(handle: Handle, instance_id: InstanceId, signal: PendingSignal) -> int | None:
    """Return the number of the run that consumed the signal."""
    stored = find_header(handle, instance_id)
    if stored is None:
        return None
    stored.add(handle.all(_AWAITING, (stored.run, signal.name)))
    receiver = control.send(stored.head, signal, signal.received_at)
    if receiver is None:
        return None
    update_cursors(handle, stored, [receiver])
    return stored.run
