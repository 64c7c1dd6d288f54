"""From rows to the records of the core.

The order of the columns is that of the fragments in ``sql/fragments``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

from sayiir_core.ids import InstanceId, RunId, SessionId, WorkflowId, unpack_index
from sayiir_core.snapshot.head import Cursor, CursorKey, CursorState, Header, InstanceState
from sayiir_core.snapshot.reference import decode_ref
from sayiir_core.snapshot.step import ErrorRecord, StepRecord, StepRow, StepStatus, Verdict
from sayiir_core.workflow.definition import DefinitionIdentity

Row = Sequence[Any]


class _CursorRow(NamedTuple):
    """The columns of ``cursor_columns``."""

    run: str
    scope: int
    idx: bytes
    definition: int
    owner: SessionId | None
    session: SessionId | None
    claim_no: int
    fence: int
    held: bool
    state: str
    pending: int
    tags: str
    priority: int
    signal: str | None
    delivered: int | None
    seq: int
    node: int
    turns: bytes
    input: str
    available_at: datetime | None
    attempt: int
    fresh_from: int
    deaths: str | None
    avoid: SessionId | None
    avoid_until: datetime | None
    started_at: datetime | None


CURSOR_WIDTH: Final = len(_CursorRow._fields)
"""How many columns the fragment ``cursor_columns`` has."""

RUN_WIDTH: Final = 8
"""How many columns the fragment ``run_columns`` has."""


def cursor_of(row: Row) -> Cursor:
    """Return the cursor of a row that starts with ``cursor_columns``."""
    it = _CursorRow(*row[:CURSOR_WIDTH])
    return Cursor(
        scope=it.scope,
        index=unpack_index(it.idx),
        node=it.node,
        turns=unpack_index(it.turns),
        input=decode_ref(it.input),
        group=it.tags,
        priority=it.priority,
        state=CursorState(it.state),
        available_at=it.available_at,
        attempt=it.attempt,
        fresh_from=it.fresh_from,
        deaths=decode_deaths(it.deaths),
        signal=it.signal,
        delivered=it.delivered,
        pending=it.pending,
        held=it.held,
        session=it.session,
        claim_no=it.claim_no,
        fence=it.fence,
        seq=it.seq,
        avoid=it.avoid,
        avoid_until=it.avoid_until,
        started_at=it.started_at,
    )


def place_of(row: Row) -> tuple[RunId, CursorKey]:
    """Return run and key of a row that starts with ``cursor_columns``."""
    return RunId(row[0]), CursorKey(row[1], unpack_index(row[2]))


def run_of_cursor(row: Row) -> tuple[RunId, int, SessionId | None]:
    """Return run, definition number and owner of a row that starts with ``cursor_columns``."""
    return RunId(row[0]), row[3], row[4]


def bare_header(row: Row) -> Header:
    """Return what never changes of a header, from a row that starts with ``run_columns``.

    State, owner and what follows from them are not read: whoever needs them locks the instance.
    """
    instance_id, run, _definition, workflow_id, structure, fingerprint, trace, created = row[
        :RUN_WIDTH
    ]
    return Header(
        instance_id=InstanceId(instance_id),
        run_id=RunId(run),
        identity=DefinitionIdentity(WorkflowId(workflow_id), structure),
        policy_fingerprint=fingerprint,
        trace_parent=trace,
        created_at=created,
    )


def header_of(row: Row) -> Header:
    """Return the header of a row that starts with ``header_columns``."""
    header = bare_header(row)
    (state, owner, path, kind, message, trace, reason, by, output, labels, finished, fence, seq) = (
        row[RUN_WIDTH : RUN_WIDTH + 13]
    )
    header.state = InstanceState(state)
    header.owner = owner
    header.error = error_of(path, kind, message, trace)
    header.reason = reason
    header.requested_by = by
    header.output = None if output is None else decode_ref(output)
    header.labels = cast("dict[str, str]", labels)
    header.finished_at = finished
    header.ended_by = None if fence is None else (fence, seq)
    return header


def definition_of(row: Row) -> int:
    """Return the definition's number of a row that starts with ``run_columns``."""
    return int(row[2])


def step_of(row: Row) -> StepRow:
    """Return the step of a row that starts with ``step_columns``."""
    (
        _number,
        node,
        turns,
        attempt,
        status,
        output,
        source,
        verdict,
        path,
        kind,
        message,
        trace,
        started_at,
        finished_at,
        session,
        fence,
        seq,
    ) = row
    record = StepRecord(
        node=node,
        turns=unpack_index(turns),
        attempt=attempt,
        status=StepStatus(status),
        output=output,
        source=None if source is None else decode_ref(source),
        verdict=None if verdict is None else Verdict(verdict),
        error=error_of(path, kind, message, trace),
        started_at=started_at,
        finished_at=finished_at,
    )
    return StepRow(record=record, session=SessionId(session), fence=fence, seq=seq)


def error_of(
    path: str | None, kind: str | None, message: str | None, trace: str | None
) -> ErrorRecord | None:
    """Return the error of four columns, None if there is none."""
    if path is None or kind is None or message is None:
        return None
    return ErrorRecord(path=path, type=kind, message=message, traceback=trace)


def encode_deaths(deaths: tuple[SessionId, ...]) -> str | None:
    """Return the text form of the sessions that died, None for none."""
    return json.dumps(deaths) if deaths else None


def decode_deaths(text: str | None) -> tuple[SessionId, ...]:
    """Invert ``encode_deaths``."""
    return tuple(json.loads(text)) if text else ()
