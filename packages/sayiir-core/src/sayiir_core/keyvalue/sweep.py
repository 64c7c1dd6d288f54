"""Removing what no document acknowledges (any more)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from sayiir_core.ids import InstanceId, RunId
from sayiir_core.keyvalue import key
from sayiir_core.keyvalue.document import InstanceDocument
from sayiir_core.keyvalue.row import Row, unpack_step
from sayiir_core.keyvalue.scan import delete_all, scan_all
from sayiir_core.keyvalue.store import KeyValueStore
from sayiir_core.snapshot.document import parse
from sayiir_core.workflow.fields import Fields


def counts(store: KeyValueStore, document: InstanceDocument, row: Row) -> bool:
    """Tell whether a row is acknowledged, given a document of its revision or a later one."""
    if row.key in document.payloads.values() or document.tail.get(row.index) == row.key:
        return True
    # Moved to the index before the document forgot it, so in this order nothing is missed.
    indexed = store.get(row.index)
    return indexed is not None and indexed.value == row.key.encode()


def drop_orphans(store: KeyValueStore, document: InstanceDocument, rows: Iterable[Row]) -> int:
    """Delete those of the given rows that do not count; returns how many."""
    orphans = [row for row in rows if not counts(store, document, row)]
    for row in orphans:
        store.delete(row.key)
    return len(orphans)


def sweep_records(store: KeyValueStore, document: InstanceDocument, *, since: int = 0) -> int:
    """Delete the orphans among the current run's records of revisions after ``since``.

    Records of a revision that is not reached yet may still be acknowledged, and stay.
    """
    if document.head is None:
        return 0
    run_id = document.head.header.run_id
    after = key.row_revision_key(run_id, since)
    found = scan_all(store, key.rows_prefix(run_id), after=after)
    rows = (
        _row(run_id, place, value)
        for place, value in found
        if key.revision_of_row(place) <= document.revision
    )
    return drop_orphans(store, document, rows)


def _row(run_id: RunId, place: str, value: bytes) -> Row:
    record = unpack_step(value).record
    index = key.attempt_key(run_id, record.node, record.turns, record.attempt)
    return Row(place, value, index)


def birth_value(instance_id: InstanceId, created_at: datetime, run_id: RunId) -> bytes:
    """Return what the birth of a run says: its instance, and where it is listed."""
    form = {"instance": instance_id, "listed": key.listing_key(created_at, run_id)}
    return json.dumps(form, separators=(",", ":")).encode()


def instance_of_birth(value: bytes) -> InstanceId:
    """Return the instance id that a birth names."""
    return InstanceId(_birth(value).text("instance"))


def delete_run(store: KeyValueStore, run_id: RunId) -> None:
    """Delete all rows of a run that no document has as its own; repeatable."""
    birth = store.get(key.birth_key(run_id))
    if birth is None:
        return
    store.delete(_birth(birth.value).text("listed"))
    store.delete(key.input_key(run_id))
    for prefix in (key.rows_prefix(run_id), key.index_prefix(run_id), key.scopes_prefix(run_id)):
        delete_all(store, prefix)
    # Last, so that a run whose deletion was interrupted is still found.
    store.delete(key.birth_key(run_id))


def delete_signals(store: KeyValueStore, instance_id: InstanceId, *, until: int) -> None:
    """Delete the payloads of all signals up to a number."""
    for prefix in (key.signal_prefix(instance_id), key.consumed_prefix(instance_id)):
        for place, _ in scan_all(store, prefix):
            if key.seq_of_signal(place) > until:
                break
            store.delete(place)


def _birth(value: bytes) -> Fields:
    return Fields.of(parse(value, "the birth of a run"), "the birth of a run")
