"""Taking back what a session holds, by the hints that lead to it.

A hint whose revision is not reached yet tells of a grant that may still be under way. Writing the
document, changed or not, makes that grant's compare-and-set fail; so it counts as not granted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sayiir_core.ids import SessionId
from sayiir_core.keyvalue import key
from sayiir_core.keyvalue.change import Decision, Documents
from sayiir_core.keyvalue.document import InstanceDocument
from sayiir_core.keyvalue.hint import read_hint
from sayiir_core.keyvalue.scan import scan_all
from sayiir_core.keyvalue.sweep import sweep_records
from sayiir_core.snapshot import control
from sayiir_core.snapshot.head import Cursor, Head

Wanted = Callable[[Head, Cursor], bool]


def release_held(documents: Documents, session: SessionId, wanted: Wanted) -> None:
    """Give back, uncounted, those cursors under a session that are wanted."""
    for place, value in scan_all(documents.store, key.holds_prefix(session)):
        decide = partial(_release, key.revision_of_hold(place), session, wanted)
        documents.change(read_hint(value).instance_id, decide)


def take_all(documents: Documents, session: SessionId, *, died: bool) -> None:
    """Take everything that an ended session holds or owns, and sweep what it left behind.

    With ``died`` its death is charged. Repeatable, so that anybody can complete it.
    """
    store = documents.store
    for place, value in scan_all(store, key.holds_prefix(session)):
        instance_id = read_hint(value).instance_id
        since = key.revision_of_hold(place)
        documents.change(instance_id, partial(_take, since, session, died))
        if died:
            sweep_records(store, documents.read(instance_id), since=since)
        store.delete(place)


def _release(
    revision: int, session: SessionId, wanted: Wanted, document: InstanceDocument
) -> Decision[None]:
    head = document.head
    cursors = [] if head is None else [c for c in head.cursors.values() if c.session == session]
    taken = [cursor for cursor in cursors if head is not None and wanted(head, cursor)]
    for cursor in taken:
        cursor.session = cursor.started_at = None
    return Decision(None, write=bool(taken) or revision > document.revision)


def _take(
    revision: int, session: SessionId, died: bool, document: InstanceDocument
) -> Decision[None]:
    head = document.head
    held = session in document.holds
    if head is not None and held and died:
        control.bereave(head, session)
    elif head is not None and held:
        control.disown(head, session)
        control.release(head, session)
    return Decision(None, write=held or revision > document.revision)
