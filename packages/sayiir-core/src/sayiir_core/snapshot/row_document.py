"""The document form of what is appended: execution records, scope rows, errors.

A record's output is not part of its document: payloads are kept as they are, beside it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sayiir_core.ids import Index, SessionId
from sayiir_core.snapshot.reference import (
    Ref,
    decode_ref,
    decode_turns,
    encode_ref,
    encode_turns,
)
from sayiir_core.snapshot.step import (
    ErrorRecord,
    ScopeRow,
    StepRecord,
    StepRow,
    StepStatus,
    Verdict,
)
from sayiir_core.workflow.fields import Fields


def step_to_document(row: StepRow) -> dict[str, Any]:
    """Return a record as JSON-able data, without its output."""
    record = row.record
    return {
        "node": record.node,
        "turns": encode_turns(record.turns),
        "attempt": record.attempt,
        "status": record.status.value,
        "source": None if record.source is None else encode_ref(record.source),
        "verdict": None if record.verdict is None else record.verdict.value,
        "error": None if record.error is None else error_to_document(record.error),
        "started_at": write_instant(record.started_at),
        "finished_at": write_instant(record.finished_at),
        "session": row.session,
        "fence": row.fence,
        "seq": row.seq,
    }


def step_from_document(document: object, output: bytes | None) -> StepRow:
    """Invert ``step_to_document``, given the output; ``DeserializationError`` if malformed."""
    fields = Fields.of(document, "a stored step")
    record = StepRecord(
        node=fields.number("node"),
        turns=read_turns(fields, "turns"),
        attempt=fields.number("attempt"),
        status=fields.word("status", StepStatus),
        output=output,
        source=read_ref_or_none(fields, "source"),
        verdict=None if fields.text_or_none("verdict") is None else fields.word("verdict", Verdict),
        error=read_error_or_none(fields, "error"),
        started_at=read_instant_or_none(fields, "started_at"),
        finished_at=read_instant_or_none(fields, "finished_at"),
    )
    return StepRow(
        record=record,
        session=SessionId(fields.text("session")),
        fence=fields.number("fence"),
        seq=fields.number("seq"),
    )


def scope_to_document(row: ScopeRow) -> dict[str, Any]:
    """Return a scope row as JSON-able data."""
    return {
        "scope": row.scope,
        "index": encode_turns(row.index),
        "value": encode_ref(row.value),
        "fence": row.fence,
        "seq": row.seq,
    }


def scope_from_document(document: object) -> ScopeRow:
    """Invert ``scope_to_document``; ``DeserializationError`` if malformed."""
    fields = Fields.of(document, "a stored scope")
    return ScopeRow(
        scope=fields.number("scope"),
        index=read_turns(fields, "index"),
        value=decode_ref(fields.text("value")),
        fence=fields.number("fence"),
        seq=fields.number("seq"),
    )


def error_to_document(error: ErrorRecord) -> dict[str, Any]:
    """Return an error as JSON-able data."""
    return {
        "path": error.path,
        "type": error.type,
        "message": error.message,
        "traceback": error.traceback,
    }


def error_from_document(document: object) -> ErrorRecord:
    """Invert ``error_to_document``; ``DeserializationError`` if malformed."""
    return _error(Fields.of(document, "a stored error"))


def _error(fields: Fields) -> ErrorRecord:
    return ErrorRecord(
        path=fields.text("path"),
        type=fields.text("type"),
        message=fields.text("message"),
        traceback=fields.text_or_none("traceback"),
    )


# The pieces that documents of heads are made of too.


def read_error_or_none(fields: Fields, name: str) -> ErrorRecord | None:
    """Return a nested error, or None for null."""
    nested = fields.record_or_none(name)
    return None if nested is None else _error(nested)


def read_ref_or_none(fields: Fields, name: str) -> Ref | None:
    """Return a reference in its text form, or None for null."""
    text = fields.text_or_none(name)
    return None if text is None else decode_ref(text)


def read_turns(fields: Fields, name: str) -> Index:
    """Return an index in its text form."""
    return decode_turns(fields.text(name))


def write_instant(instant: datetime | None) -> str | None:
    """Return an instant as ISO 8601 in UTC with microseconds, None for None."""
    return None if instant is None else instant.astimezone(UTC).isoformat()


def read_instant(fields: Fields, name: str) -> datetime:
    """Return an aware instant in UTC."""
    try:
        instant = datetime.fromisoformat(fields.text(name))
        # Without a time zone it would be read in that of this machine.
        return instant.astimezone(UTC) if instant.tzinfo else fields.bad(name, "in a time zone")
    except (ValueError, OverflowError):
        return fields.bad(name, "an instant")


def read_instant_or_none(fields: Fields, name: str) -> datetime | None:
    """Return an aware instant in UTC, or None for null."""
    return None if fields.text_or_none(name) is None else read_instant(fields, name)
