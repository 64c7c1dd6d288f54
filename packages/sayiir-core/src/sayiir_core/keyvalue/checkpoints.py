"""Commit checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from sayiir_core.errors import RefusedRowError
from sayiir_core.keyvalue import key
from sayiir_core.keyvalue.change import Decision, Documents
from sayiir_core.keyvalue.document import InstanceDocument
from sayiir_core.keyvalue.record import Records
from sayiir_core.keyvalue.row import acknowledge_consumed, acknowledge_scopes, step_rows
from sayiir_core.keyvalue.session import is_live
from sayiir_core.ports.clock import Clock
from sayiir_core.snapshot.answer import Answer, Committed, Lost, LostReason, Refused
from sayiir_core.snapshot.apply import apply
from sayiir_core.snapshot.effect import Checkpoint

_GONE: Final = Lost(LostReason.GONE)
_SESSION_ENDED: Final = Lost(LostReason.SESSION_ENDED)


class KeyValueCheckpoints:
    """The checkpoint port over documents."""

    __slots__ = ("_clock", "_documents", "_records")

    def __init__(self, documents: Documents, records: Records, clock: Clock) -> None:
        self._documents = documents
        self._records = records
        self._clock = clock

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        """Apply checkpoints in order; one answer each."""
        return [self._commit(checkpoint) for checkpoint in batch]

    def _commit(self, checkpoint: Checkpoint) -> Answer:
        decide = partial(self._decide, checkpoint)
        try:
            return self._documents.change(checkpoint.lease.instance_id, decide)
        except RefusedRowError as error:
            return Refused(str(error))

    def _decide(self, checkpoint: Checkpoint, document: InstanceDocument) -> Decision[Answer]:
        lease = checkpoint.lease
        head = document.head
        if head is None:
            return self._lost(checkpoint, _GONE)
        if head.header.run_id == lease.run_id and lease.key not in head.cursors:
            self._records.remember_arrival(document, lease.run_id, lease.key)
        applied = apply(head, checkpoint, self._clock.now())
        match applied.answer:
            case Lost():
                return self._lost(checkpoint, applied.answer)
            case Committed(replayed=True):
                return Decision(applied.answer, write=False)
            case _:
                pass
        if not is_live(self._documents.store, lease.session):
            return Decision(_SESSION_ENDED, write=False)
        rows = step_rows(document, lease.run_id, applied.steps)
        acknowledge_scopes(document, lease.run_id, applied.scopes)
        for seq in applied.consumed:
            entry = key.consumed_key(lease.instance_id, seq)
            acknowledge_consumed(document, entry, seq)
        return Decision(applied.answer, rows=rows)

    def _lost(self, checkpoint: Checkpoint, answer: Lost) -> Decision[Answer]:
        live = is_live(self._documents.store, checkpoint.lease.session)
        return Decision(answer if live else _SESSION_ENDED, write=False)
