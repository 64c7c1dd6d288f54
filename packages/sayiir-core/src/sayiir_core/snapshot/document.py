"""The document form of a head: what a store without tables keeps, and what tools exchange.

``encode_head`` and ``decode_head`` are exact inverses. Instants are ISO 8601 in UTC, indexes and
references have their text forms, absent fields are null. A reader refuses a newer version, and
ignores fields that it does not know: so the version changes only with the meaning of a field.
"""

from __future__ import annotations

import json
from typing import Any, Final

from sayiir_core.errors import DeserializationError, UnsupportedVersionError
from sayiir_core.ids import InstanceId, RunId, SessionId, WorkflowId
from sayiir_core.snapshot.head import (
    Cursor,
    CursorKey,
    CursorState,
    Head,
    Header,
    InstanceState,
    PendingSignal,
)
from sayiir_core.snapshot.reference import decode_ref, encode_ref, encode_turns
from sayiir_core.snapshot.row_document import (
    error_to_document,
    read_error_or_none,
    read_instant,
    read_instant_or_none,
    read_ref_or_none,
    read_turns,
    write_instant,
)
from sayiir_core.workflow.definition import DefinitionIdentity
from sayiir_core.workflow.fields import Fields

FORMAT: Final = "sayiir-head"
VERSION: Final = 1


def encode_head(head: Head) -> str:
    """Return the document as JSON text, ASCII only."""
    return json.dumps(head_to_document(head), separators=(",", ":"))


def decode_head(text: str | bytes) -> Head:
    """Return the head that a document describes.

    Raises ``UnsupportedVersionError`` for a newer document and ``DeserializationError`` for
    anything that is no head.
    """
    return head_from_document(parse(text, "a stored head"))


def head_to_document(head: Head) -> dict[str, Any]:
    """Return the document as JSON-able data."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "header": header_to_document(head.header),
        "cursors": [cursor_to_document(cursor) for cursor in head.cursors.values()],
        "inbox": [signal_to_document(signal) for signal in head.inbox],
        "arrived": [
            {"scope": scope, "index": encode_turns(index), "fence": fence, "seq": seq}
            for (scope, index), (fence, seq) in head.arrived.items()
        ],
    }


def head_from_document(document: object) -> Head:
    """Invert ``head_to_document``; raises as ``decode_head``."""
    return read_head(Fields.of(document, "a stored head"))


def read_head(top: Fields) -> Head:
    """Return the head of a document that stands inside another one."""
    check_version(top, FORMAT, VERSION)
    head = Head(
        header=_header(top.record("header")),
        inbox=[read_signal(item) for item in top.records("inbox")],
    )
    for item in top.records("cursors"):
        cursor = _cursor(item)
        if cursor.key in head.cursors:
            raise DeserializationError(f"{item.where} repeats the key {tuple(cursor.key)}")
        head.cursors[cursor.key] = cursor
    for item in top.records("arrived"):
        key = CursorKey(item.number("scope"), read_turns(item, "index"))
        head.arrived[key] = item.number("fence"), item.number("seq")
    return head


def header_to_document(header: Header) -> dict[str, Any]:
    """Return a header as JSON-able data."""
    return {
        "instance_id": header.instance_id,
        "run_id": header.run_id,
        "workflow_id": header.identity.workflow_id,
        "structure_hash": header.identity.structure_hash,
        "policy_fingerprint": header.policy_fingerprint,
        "state": header.state.value,
        "owner": header.owner,
        "error": None if header.error is None else error_to_document(header.error),
        "reason": header.reason,
        "requested_by": header.requested_by,
        "output": None if header.output is None else encode_ref(header.output),
        "labels": dict(header.labels),
        "trace_parent": header.trace_parent,
        "created_at": write_instant(header.created_at),
        "finished_at": write_instant(header.finished_at),
        "ended_by": None if header.ended_by is None else _mark_document(header.ended_by),
    }


def header_from_document(document: object) -> Header:
    """Invert ``header_to_document``; ``DeserializationError`` if malformed."""
    return _header(Fields.of(document, "a stored header"))


def _header(fields: Fields) -> Header:
    labels = fields.record("labels")
    ended_by = fields.record_or_none("ended_by")
    return Header(
        instance_id=InstanceId(fields.text("instance_id")),
        run_id=RunId(fields.text("run_id")),
        identity=DefinitionIdentity(
            WorkflowId(fields.text("workflow_id")), fields.text("structure_hash")
        ),
        policy_fingerprint=fields.text("policy_fingerprint"),
        state=fields.word("state", InstanceState),
        owner=_session_or_none(fields, "owner"),
        error=read_error_or_none(fields, "error"),
        reason=fields.text_or_none("reason"),
        requested_by=fields.text_or_none("requested_by"),
        output=read_ref_or_none(fields, "output"),
        labels={name: labels.text(name) for name in labels.names()},
        trace_parent=fields.text_or_none("trace_parent"),
        created_at=read_instant(fields, "created_at"),
        finished_at=read_instant_or_none(fields, "finished_at"),
        ended_by=None if ended_by is None else (ended_by.number("fence"), ended_by.number("seq")),
    )


def cursor_to_document(cursor: Cursor) -> dict[str, Any]:
    """Return a cursor as JSON-able data."""
    return {
        "scope": cursor.scope,
        "index": encode_turns(cursor.index),
        "node": cursor.node,
        "turns": encode_turns(cursor.turns),
        "input": encode_ref(cursor.input),
        "group": cursor.group,
        "priority": cursor.priority,
        "state": cursor.state.value,
        "available_at": write_instant(cursor.available_at),
        "attempt": cursor.attempt,
        "fresh_from": cursor.fresh_from,
        "deaths": list(cursor.deaths),
        "signal": cursor.signal,
        "delivered": cursor.delivered,
        "pending": cursor.pending,
        "held": cursor.held,
        "session": cursor.session,
        "claim_no": cursor.claim_no,
        "fence": cursor.fence,
        "seq": cursor.seq,
        "started_at": write_instant(cursor.started_at),
        "avoid": cursor.avoid,
        "avoid_until": write_instant(cursor.avoid_until),
    }


def cursor_from_document(document: object) -> Cursor:
    """Invert ``cursor_to_document``; ``DeserializationError`` if malformed."""
    return _cursor(Fields.of(document, "a stored cursor"))


def _cursor(fields: Fields) -> Cursor:
    return Cursor(
        scope=fields.number("scope"),
        index=read_turns(fields, "index"),
        node=fields.number("node"),
        turns=read_turns(fields, "turns"),
        input=decode_ref(fields.text("input")),
        group=fields.text("group"),
        priority=fields.number("priority"),
        state=fields.word("state", CursorState),
        available_at=read_instant_or_none(fields, "available_at"),
        attempt=fields.number("attempt"),
        fresh_from=fields.number("fresh_from"),
        deaths=tuple(SessionId(session) for session in fields.texts("deaths")),
        signal=fields.text_or_none("signal"),
        delivered=fields.number_or_none("delivered"),
        pending=fields.number("pending"),
        held=fields.flag("held"),
        session=_session_or_none(fields, "session"),
        claim_no=fields.number("claim_no"),
        fence=fields.number("fence"),
        seq=fields.number("seq"),
        started_at=read_instant_or_none(fields, "started_at"),
        avoid=_session_or_none(fields, "avoid"),
        avoid_until=read_instant_or_none(fields, "avoid_until"),
    )


def signal_to_document(signal: PendingSignal) -> dict[str, Any]:
    """Return a pending signal as JSON-able data, without its payload."""
    return {
        "seq": signal.seq,
        "name": signal.name,
        "received_at": write_instant(signal.received_at),
    }


def signal_from_document(document: object) -> PendingSignal:
    """Invert ``signal_to_document``; ``DeserializationError`` if malformed."""
    return read_signal(Fields.of(document, "a stored signal"))


def read_signal(fields: Fields) -> PendingSignal:
    """Return a pending signal that stands inside another document."""
    return PendingSignal(
        seq=fields.number("seq"),
        name=fields.text("name"),
        received_at=read_instant(fields, "received_at"),
    )


def parse(text: str | bytes, what: str) -> object:
    """Return what a JSON text holds; ``DeserializationError`` if it is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DeserializationError(f"{what} is not JSON: {error}") from error


def check_version(top: Fields, form: str, version: int) -> None:
    """Refuse a document of another form, or of a version that this release cannot read."""
    if top.text("format") != form:
        top.bad("format", repr(form))
    found = top.number("version")
    if found > version:
        raise UnsupportedVersionError(
            f"{top.where} has version {found}, this release reads up to {version}; upgrade sayiir"
        )
    if found < 1:
        top.bad("version", "a version")


def _mark_document(mark: tuple[int, int]) -> dict[str, int]:
    return {"fence": mark[0], "seq": mark[1]}


def _session_or_none(fields: Fields, name: str) -> SessionId | None:
    session = fields.text_or_none(name)
    return None if session is None else SessionId(session)
