"""Changing a document: read, decide, write first what it acknowledges, then compare and set.

The order of the steps is what makes it safe:

1. read the document, and let the core decide on it;
2. move the acknowledgements of the write before into the index;
3. write the rows and hints that the new document needs;
4. check that sessions which begin to hold something live. A session's end is marked before the
   documents that its hints name are visited; so either this check fails, or the visit finds the
   hint and comes after step 5, or the visit's own write makes step 5 fail;
5. compare and set; if somebody else was faster, start again;
6. remove hints that are not needed any more, and rows of attempts that lost.

A crash after any step leaves only what nobody can see: rows without acknowledgement, hints
without need.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from sayiir_core.errors import BackendError, InstanceNotFoundError, RefusedRowError
from sayiir_core.ids import InstanceId, RunId
from sayiir_core.keyvalue import key
from sayiir_core.keyvalue.document import InstanceDocument, decode_instance, encode_instance
from sayiir_core.keyvalue.hint import holder_hint_value, set_holder_hints, set_queue_hints
from sayiir_core.keyvalue.row import Row
from sayiir_core.keyvalue.session import require_live
from sayiir_core.keyvalue.store import KeyValueStore, Versioned
from sayiir_core.keyvalue.sweep import delete_run, delete_signals, drop_orphans
from sayiir_core.snapshot.head import Head

T = TypeVar("T")

_PATIENCE: Final = 1000
"""How often a writer may be overtaken. Each time somebody else got on, so it is no deadlock."""


@dataclass(slots=True)
class Decision(Generic[T]):
    """What came of looking at a document: an answer, and whether the document is to be written.

    ``rows`` are written before it, and so are the plain ``puts``; the rows of the runs in
    ``trash`` are deleted after it.
    """

    answer: T
    write: bool = True
    rows: list[Row] = field(default_factory=list[Row])
    puts: dict[str, bytes] = field(default_factory=dict[str, bytes])
    trash: list[RunId] = field(default_factory=list[RunId])


class Documents:
    """The documents of all instance ids in a store."""

    __slots__ = ("store",)

    def __init__(self, store: KeyValueStore) -> None:
        self.store = store

    def read(self, instance_id: InstanceId) -> InstanceDocument:
        """Return the current document, an empty one if there is none."""
        return _decode(self.store.get(key.instance_key(instance_id)))

    def change(
        self, instance_id: InstanceId, decide: Callable[[InstanceDocument], Decision[T]]
    ) -> T:
        """Let ``decide`` change the document in place until nobody interferes.

        Returns its last answer. Raises ``BackendError`` if the writer is overtaken all the time,
        if a session that begins to hold something has ended, or if the store refuses a value.
        """
        place = key.instance_key(instance_id)
        lost: list[Row] = []
        for _ in range(_PATIENCE):
            found = self.store.get(place)
            document = _decode(found)
            # Emptied by the write that filled it already, unless a crash came in between.
            _empty_trash(self.store, instance_id, document)
            decision = decide(document)
            try:
                done = not decision.write or self._write(instance_id, document, decision, found)
            except RefusedRowError:
                drop_orphans(self.store, self.read(instance_id), [*lost, *decision.rows])
                raise
            if done:
                if lost:
                    drop_orphans(self.store, self.read(instance_id), lost)
                return decision.answer
            lost.extend(decision.rows)
        raise BackendError(
            f"instance {instance_id!r} was changed by others {_PATIENCE} times in a row; try again",
            instance_id=instance_id,
            transient=True,
        )

    def _write(
        self,
        instance_id: InstanceId,
        document: InstanceDocument,
        decision: Decision[T],
        found: Versioned | None,
    ) -> bool:
        store = self.store
        former = {*document.queued.values(), *document.holds.values()}
        document.revision += 1
        document.trash = decision.trash
        for entry, acknowledged in document.tail.items():
            store.put(entry, acknowledged.encode())
        document.tail, document.fresh = document.fresh, {}
        for row in decision.rows:
            store.put(row.key, row.value)
        hints = {**decision.puts, **set_queue_hints(document, instance_id)}
        holders = set_holder_hints(document, instance_id)
        hints.update((hint, holder_hint_value(instance_id)) for hint in holders.values())
        for place, value in hints.items():
            store.put(place, value)
        for session in holders:
            require_live(store, session)
        version = None if found is None else found.version
        if not store.put_if(key.instance_key(instance_id), encode_instance(document), version):
            return False
        for hint in former.difference(document.queued.values(), document.holds.values()):
            store.delete(hint)
        _empty_trash(store, instance_id, document)
        return True


def _empty_trash(store: KeyValueStore, instance_id: InstanceId, document: InstanceDocument) -> None:
    if document.trash:
        delete_signals(store, instance_id, until=document.dropped_until)
    for run_id in document.trash:
        delete_run(store, run_id)


def _decode(found: Versioned | None) -> InstanceDocument:
    return InstanceDocument() if found is None else decode_instance(found.value)


def head_of(document: InstanceDocument, instance_id: InstanceId) -> Head:
    """Return the head, or raise ``InstanceNotFoundError``."""
    if document.head is None:
        raise InstanceNotFoundError(instance_id)
    return document.head
