"""Inboxes: send signals, list what waits, and remove what nobody will consume."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

from sayiir_core.errors import RefusedRowError
from sayiir_core.ids import InstanceId
from sayiir_core.snapshot import control
from sayiir_core.snapshot.head import PendingSignal
from sayiir_postgres.connections import Connection
from sayiir_postgres.database import Database
from sayiir_postgres.heads import Changes, LockedRun, add_known_cursors, locked_instances
from sayiir_postgres.lanes import Lanes
from sayiir_postgres.rows import Row
from sayiir_postgres.transaction import Transaction
from sayiir_postgres.writes import write

_AT_ONCE: Final = 500


class PostgresSignals:
    """The signal port."""

    def __init__(self, database: Database, lanes: Lanes, *, max_payload_bytes: int) -> None:
        self._database = database
        self._lanes = lanes
        self._max_payload_bytes = max_payload_bytes

    def send(self, instance_id: InstanceId, name: str, payload: bytes) -> int:
        """Deliver to a cursor that waits for the name, or keep for the next one."""
        if len(payload) > self._max_payload_bytes:
            raise RefusedRowError(
                f"the payload of signal {name!r} has {len(payload)} bytes, more than "
                f"max_payload_bytes={self._max_payload_bytes}; store it elsewhere and send its "
                f"name, or raise the limit",
                instance_id=instance_id,
            )

        def work(connection: Connection) -> int:
            with self._database.transaction(connection) as tx:
                return self._send(tx, instance_id, name, payload)

        return self._database.run(work, repeatable=False)

    def _send(self, tx: Transaction, instance_id: InstanceId, name: str, payload: bytes) -> int:
        numbered = tx.send("number_signal", {"instance_id": instance_id})
        instances = tx.send("lock_instances", {"instance_ids": [instance_id]})
        awaiting = tx.send("lock_awaiting", {"instance_id": instance_id, "name": name})
        moment = self._database.moment(tx)
        seq = int(numbered.rows()[0][0])
        runs = locked_instances(instances.rows())
        add_known_cursors(runs, awaiting.rows())
        signal = PendingSignal(seq=seq, name=name, received_at=moment())
        run = next(iter(runs.values()), None)
        taken = run is not None and self._deliver(run, signal)
        parameters = {
            "instance_id": instance_id,
            "seq": seq,
            "name": name,
            "received_at": signal.received_at,
            "consumed_by": run.run_id if run is not None and taken else None,
            "payload": payload,
        }
        tx.send("insert_signal", parameters)
        if run is not None and taken:
            write(tx, Changes(runs=[run]), self._lanes)
        return seq

    def _deliver(self, run: LockedRun, signal: PendingSignal) -> bool:
        cursor = control.send(run.head, signal, signal.received_at)
        if cursor is not None:
            run.touch([cursor])
        return cursor is not None

    def pending(self, instance_id: InstanceId) -> list[PendingSignal]:
        """Return the signals that nothing has consumed, oldest first."""
        rows = self._database.call("pending_signals", instance_id=instance_id)
        return [
            PendingSignal(seq=seq, name=name, received_at=received_at)
            for seq, name, received_at in rows
        ]

    def expire(self, *, received_before: datetime, limit: int) -> int:
        """Remove up to ``limit`` old signals of instances that are gone or over; returns how many."""
        removed = 0
        while removed < limit:
            wanted = min(limit - removed, _AT_ONCE)
            parameters = {"received_before": received_before, "limit": wanted}
            found = self._database.call("expired_signals", **parameters)
            if not found:
                break
            gone = self._database.run(partial(self._expire, found, received_before))
            removed += gone
            if gone == 0:
                break
        return removed

    def _expire(
        self, found: Sequence[Row], received_before: datetime, connection: Connection
    ) -> int:
        ids = [instance_id for instance_id, _ in found]
        parameters = {
            "instance_ids": ids,
            "seqs": [seq for _, seq in found],
            "received_before": received_before,
        }
        with self._database.transaction(connection) as tx:
            # Whoever consumes a signal or replaces a run holds the inbox.
            tx.send("lock_known_inboxes", {"instance_ids": sorted(set(ids))})
            return len(tx.send("delete_expired_signals", parameters).rows())
