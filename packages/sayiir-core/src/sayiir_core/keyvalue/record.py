"""Reading what a document has acknowledged.

The document is always read before the index: what leaves its tail is in the index by then.
"""

from __future__ import annotations

from sayiir_core.errors import DeserializationError
from sayiir_core.ids import Index, InstanceId, RunId
from sayiir_core.keyvalue import key
from sayiir_core.keyvalue.change import Documents
from sayiir_core.keyvalue.document import InstanceDocument
from sayiir_core.keyvalue.row import unpack_scope, unpack_step
from sayiir_core.keyvalue.scan import scan_all
from sayiir_core.keyvalue.sweep import instance_of_birth
from sayiir_core.snapshot.head import CursorKey
from sayiir_core.snapshot.reference import InputRef, Leaf, SignalRef, StepRef
from sayiir_core.snapshot.step import ScopeRow, StepRow, StepStatus


class Records:
    """The records, scope rows and payloads of all runs in a store."""

    __slots__ = ("_documents", "_store")

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._store = documents.store

    def document_of(self, run_id: RunId) -> InstanceDocument | None:
        """Return the document whose current run this is, None if there is none (any more)."""
        birth = self._store.get(key.birth_key(run_id))
        if birth is None:
            return None
        document = self._documents.read(instance_of_birth(birth.value))
        current = document.head is not None and document.head.header.run_id == run_id
        return document if current else None

    def entries(self, document: InstanceDocument, prefix: str) -> dict[str, bytes]:
        """Return all index entries with a prefix, in order."""
        tail = {
            entry: value.encode()
            for entry, value in document.tail.items()
            if entry.startswith(prefix)
        }
        return dict(sorted({**tail, **dict(scan_all(self._store, prefix))}.items()))

    def entry(self, document: InstanceDocument, entry: str) -> bytes | None:
        """Return one index entry."""
        value = document.tail.get(entry)
        if value is not None:
            return value.encode()
        found = self._store.get(entry)
        return None if found is None else found.value

    def step(
        self, document: InstanceDocument, run_id: RunId, node: int, turns: Index
    ) -> StepRow | None:
        """Return the last attempt at a step; nothing follows one that succeeded."""
        entries = self.entries(document, key.step_prefix(run_id, node, turns))
        if not entries:
            return None
        *_, place = entries.values()
        return self.record(place.decode())

    def record(self, place: str) -> StepRow:
        """Return an acknowledged record; ``DeserializationError`` if the store has lost it."""
        return unpack_step(self._value(place))

    def scope(
        self, document: InstanceDocument, run_id: RunId, scope: int, index: Index
    ) -> ScopeRow | None:
        """Return a scope row."""
        value = self.entry(document, key.scope_key(run_id, scope, index))
        return None if value is None else unpack_scope(value)

    def remember_arrival(self, document: InstanceDocument, run_id: RunId, line: CursorKey) -> None:
        """Put the guard that ended a branch into the head, so that a repetition is recognised."""
        row = self.scope(document, run_id, *line)
        if row is not None and document.head is not None:
            document.head.arrived[line] = row.fence, row.seq

    def payload(
        self, document: InstanceDocument, instance_id: InstanceId, run_id: RunId, leaf: Leaf
    ) -> bytes | None:
        """Return the bytes that a leaf names, None if there are none (yet)."""
        match leaf:
            case InputRef():
                found = self._store.get(key.input_key(run_id))
                return None if found is None else found.value
            case StepRef(node, turns):
                row = self.step(document, run_id, node, turns)
                succeeded = row is not None and row.record.status is StepStatus.SUCCEEDED
                return row.record.output if row is not None and succeeded else None
            case SignalRef(seq):
                return self._signal(document, instance_id, seq)

    def _signal(
        self, document: InstanceDocument, instance_id: InstanceId, seq: int
    ) -> bytes | None:
        if seq <= document.dropped_until:
            return None
        place = document.payloads.get(seq)
        if place is None:
            entry = self.entry(document, key.consumed_key(instance_id, seq))
            if entry is None:
                return None
            place = entry.decode()
        return self._value(place)

    def _value(self, place: str) -> bytes:
        found = self._store.get(place)
        if found is None:
            raise DeserializationError(f"the store has lost {place!r}, which it acknowledged")
        return found.value
