"""Hints: keys that lead to a document of which something may be wanted.

A hint is written before the document that needs it and removed after the one that no longer does.
So what is claimable or held always has one, and a hint without need does no harm: whoever follows
it finds in the document that it is not the current one.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import NamedTuple

from sayiir_core.errors import DeserializationError
from sayiir_core.ids import InstanceId, SessionId
from sayiir_core.keyvalue import key
from sayiir_core.keyvalue.document import InstanceDocument
from sayiir_core.snapshot.document import parse
from sayiir_core.snapshot.head import CursorKey, Head, Lane
from sayiir_core.snapshot.reference import encode_turns
from sayiir_core.snapshot.row_document import (
    read_instant_or_none,
    read_turns,
    write_instant,
)
from sayiir_core.workflow.fields import Fields


class HintTarget(NamedTuple):
    """Where a hint leads: to an instance, and of a queue hint to one of its cursors.

    Whom that cursor avoids is said here too, so that who passes it over need not read it.
    """

    instance_id: InstanceId
    cursor: CursorKey = CursorKey(0, ())
    avoid: SessionId | None = None
    avoid_until: datetime | None = None

    def avoids(self, session: SessionId, now: datetime) -> bool:
        """Tell what ``Cursor.avoids`` says of the cursor."""
        return self.avoid == session and self.avoid_until is not None and now < self.avoid_until


def set_queue_hints(document: InstanceDocument, instance_id: InstanceId) -> dict[str, bytes]:
    """Let every queued cursor have its hint; returns the hints that are new."""
    wanted: dict[CursorKey, str] = {}
    added: dict[str, bytes] = {}
    head = document.head
    if head is not None and head.header.owner is None:
        for cursor_key, cursor in head.cursors.items():
            if cursor.available_at is None or cursor.held or cursor.session is not None:
                continue
            lane = Lane(head.header.identity, cursor.group)
            due = key.due_prefix(lane, cursor.priority, cursor.available_at)
            hint = document.queued.get(cursor_key, "")
            if not hint.startswith(due):
                hint = key.queue_key(due, document.revision, instance_id, cursor_key)
                target = HintTarget(instance_id, cursor_key, cursor.avoid, cursor.avoid_until)
                added[hint] = _pack(target)
            wanted[cursor_key] = hint
    document.queued = wanted
    return added


def set_holder_hints(document: InstanceDocument, instance_id: InstanceId) -> dict[SessionId, str]:
    """Let every session that holds or owns something have its hint; returns those that are new."""
    holders: set[SessionId] = set() if document.head is None else _holders(document.head)
    added = {
        session: key.hold_key(session, instance_id, document.revision)
        for session in holders.difference(document.holds)
    }
    kept = {session: hint for session, hint in document.holds.items() if session in holders}
    document.holds = {**kept, **added}
    return added


def _holders(head: Head) -> set[SessionId]:
    sessions = {head.header.owner, *(cursor.session for cursor in head.cursors.values())}
    return {session for session in sessions if session is not None}


def holder_hint_value(instance_id: InstanceId) -> bytes:
    """Return what the hint of a holder says."""
    return _pack(HintTarget(instance_id))


def read_hint(value: bytes) -> HintTarget:
    """Return where a hint leads; ``DeserializationError`` if it is none."""
    fields = Fields.of(parse(value, "a stored hint"), "a stored hint")
    instance_id = fields.text("instance")
    if not instance_id:
        raise DeserializationError("a stored hint names no instance")
    cursor = CursorKey(fields.number("scope"), read_turns(fields, "index"))
    avoid = fields.text_or_none("avoid")
    return HintTarget(
        InstanceId(instance_id),
        cursor,
        None if avoid is None else SessionId(avoid),
        read_instant_or_none(fields, "avoid_until"),
    )


def _pack(target: HintTarget) -> bytes:
    scope, index = target.cursor
    form = {
        "instance": target.instance_id,
        "scope": scope,
        "index": encode_turns(index),
        "avoid": target.avoid,
        "avoid_until": write_instant(target.avoid_until),
    }
    return json.dumps(form, separators=(",", ":")).encode()
