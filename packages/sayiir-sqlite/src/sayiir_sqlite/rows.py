"""Between rows and the model: the columns of the views, and what the texts in them mean."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from sayiir_core.ids import (
    Index,
    InstanceId,
    RunId,
    SessionId,
    WorkflowId,
    pack_index,
    sanitize_text,
    unpack_index,
)
from sayiir_core.snapshot.head import Cursor, CursorState, Header, InstanceState
from sayiir_core.snapshot.reference import Ref, decode_ref, encode_ref
from sayiir_core.snapshot.step import ErrorRecord, StepRecord, StepRow, StepStatus, Verdict
from sayiir_core.workflow.definition import DefinitionIdentity
from sayiir_sqlite.clock import to_instant, to_micros
from sayiir_sqlite.connection import Params, Row

_STEP_BITS: Final = 28
"""A run has at most 2^28 steps, and a file as many runs as fit into the rest of a number."""

# Made once: for options that are not its own ``json.dumps`` makes an encoder for each call.
_encode_json: Final = json.JSONEncoder(ensure_ascii=False).encode

_CURSOR_STATES: Final = {state.value: state for state in CursorState}
_INSTANCE_STATES: Final = {state.value: state for state in InstanceState}
_STEP_STATUSES: Final = {status.value: status for status in StepStatus}


def read_cursor(row: Row) -> Cursor:
    """Return the cursor of a row of ``cursor_rows``."""
    return Cursor(
        scope=row[1],
        index=unpack_index(row[2]),
        node=row[3],
        turns=unpack_index(row[4]),
        input=decode_ref(row[5]),
        group=row[6],
        priority=row[7],
        state=_CURSOR_STATES[row[8]],
        available_at=read_instant(row[9]),
        attempt=row[10],
        fresh_from=row[11],
        deaths=_read_deaths(row[12]),
        signal=row[13],
        delivered=row[14],
        pending=row[15],
        held=bool(row[16]),
        session=row[17],
        claim_no=row[18],
        fence=row[19],
        seq=row[20],
        started_at=read_instant(row[21]),
        avoid=row[22],
        avoid_until=read_instant(row[23]),
    )


def write_cursor(cursor: Cursor, *, owned: bool) -> Params:
    """Return the values of ``cursor_insert`` and ``cursor_update`` behind the key."""
    return (
        cursor.node,
        pack_index(cursor.turns),
        encode_ref(cursor.input),
        cursor.group,
        cursor.priority,
        cursor.state.value,
        write_instant(cursor.available_at),
        cursor.attempt,
        cursor.fresh_from,
        write_deaths(cursor.deaths),
        cursor.signal,
        cursor.delivered,
        cursor.pending,
        cursor.held,
        owned,
        cursor.session,
        cursor.claim_no,
        cursor.fence,
        cursor.seq,
        write_instant(cursor.started_at),
        cursor.avoid,
        write_instant(cursor.avoid_until),
    )


def read_header(row: Row) -> Header:
    """Return the header of a row of ``header_rows``."""
    fence, seq = row[17:19]
    return Header(
        instance_id=InstanceId(row[2]),
        run_id=RunId(row[3]),
        identity=DefinitionIdentity(WorkflowId(row[4]), row[5]),
        policy_fingerprint=row[6],
        state=_INSTANCE_STATES[row[7]],
        owner=row[8],
        error=read_error(row[9]),
        reason=row[10],
        requested_by=row[11],
        output=read_ref(row[12]),
        labels=json.loads(row[13]) if row[13] else {},
        trace_parent=row[14],
        created_at=to_instant(row[15]),
        finished_at=read_instant(row[16]),
        ended_by=None if fence is None else (fence, seq),
    )


def write_header(header: Header) -> Params:
    """Return the values of ``instance_update``: what of a header can change."""
    fence, seq = header.ended_by or (None, None)
    return (
        header.state.value,
        header.owner,
        write_error(header.error),
        _clean(header.reason),
        _clean(header.requested_by),
        write_ref(header.output),
        write_instant(header.finished_at),
        fence,
        seq,
    )


def read_step(row: Row) -> StepRow:
    """Return the record of a row of ``step_rows``."""
    record = StepRecord(
        node=row[2],
        turns=unpack_index(row[3]),
        attempt=row[4],
        status=_STEP_STATUSES[row[5]],
        source=read_ref(row[6]),
        verdict=None if row[7] is None else Verdict(row[7]),
        error=read_error(row[8]),
        started_at=read_instant(row[9]),
        finished_at=read_instant(row[10]),
        output=row[14],
    )
    return StepRow(record=record, session=SessionId(row[11]), fence=row[12], seq=row[13])


def write_step(run: int, step: StepRecord, session: int, fence: int, seq: int) -> Params:
    """Return the values of ``step_insert``."""
    source, error, started, finished = step.source, step.error, step.started_at, step.finished_at
    first, end = step_range(run)
    return (
        first,
        end,
        first,
        run,
        step.node,
        pack_index(step.turns),
        step.attempt,
        step.status.value,
        None if source is None else encode_ref(source),
        None if step.verdict is None else step.verdict.value,
        None if error is None else write_error(error),
        None if started is None else to_micros(started),
        None if finished is None else to_micros(finished),
        session,
        fence,
        seq,
        step.output,
    )


def step_range(run: int) -> tuple[int, int]:
    """Return the numbers between which all steps of a run lie, the second one excluded."""
    return run << _STEP_BITS, (run + 1) << _STEP_BITS


def read_error(text: str | None) -> ErrorRecord | None:
    """Return the error of an ``error`` column."""
    return None if text is None else ErrorRecord(**json.loads(text))


def write_error(error: ErrorRecord | None) -> str | None:
    """Return an error as JSON text, without what stores refuse."""
    if error is None:
        return None
    fields = {
        "path": sanitize_text(error.path),
        "type": sanitize_text(error.type),
        "message": sanitize_text(error.message),
        "traceback": _clean(error.traceback),
    }
    return _encode_json(fields)


def read_ref(text: str | None) -> Ref | None:
    """Return the reference of a column that may be empty."""
    return None if text is None else decode_ref(text)


def write_ref(ref: Ref | None) -> str | None:
    """Invert ``read_ref``."""
    return None if ref is None else encode_ref(ref)


def read_instant(micros: int | None) -> datetime | None:
    """Return the instant of a column that may be empty."""
    return None if micros is None else to_instant(micros)


def write_instant(instant: datetime | None) -> int | None:
    """Invert ``read_instant``."""
    return None if instant is None else to_micros(instant)


def write_labels(labels: dict[str, str]) -> str | None:
    """Return labels as JSON text, None for none."""
    return _encode_json(labels) if labels else None


def turn_range(prefix: Index) -> tuple[bytes, bytes]:
    """Return the packed bounds between which all turns lie that start with a prefix."""
    packed = pack_index(prefix)
    return packed, packed + _HIGHEST


_HIGHEST: Final = b"\xff" * 1024
"""More than any index has: nesting is at most 200 levels deep."""


def write_deaths(deaths: tuple[SessionId, ...]) -> str | None:
    """Return the names of dead sessions as JSON text, None for none."""
    return json.dumps(deaths) if deaths else None


def _read_deaths(text: str | None) -> tuple[SessionId, ...]:
    return tuple(json.loads(text)) if text else ()


def _clean(text: str | None) -> str | None:
    return None if text is None else sanitize_text(text)
