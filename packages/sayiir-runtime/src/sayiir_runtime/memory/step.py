"""Execution records in the form in which the store keeps them.

A plain tuple of plain values is no work for the garbage collector, so that a run with many
finished steps slows nothing down, and it shares nothing mutable with who wrote it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sayiir_core.ids import Index, SessionId
from sayiir_core.snapshot.reference import Ref
from sayiir_core.snapshot.step import ErrorRecord, StepRecord, StepRow, StepStatus, Verdict

_SUCCEEDED: Final = StepStatus.SUCCEEDED
# An exact string: a member of a StrEnum is work for the collector.
SUCCEEDED: Final = str(_SUCCEEDED.value)

StoredStep = tuple[
    int,
    Index,
    int,
    str,
    bytes | None,
    Ref | None,
    str | None,
    ErrorRecord | None,
    datetime | None,
    datetime | None,
    SessionId,
    int,
    int,
]
"""Node, turns, attempt, status, output, source, verdict, error, started and finished at; then
the session, fence and seq that wrote it."""


def fold(record: StepRecord, session: SessionId, fence: int, seq: int) -> StoredStep:
    """Return the stored form of a record."""
    return (
        record.node,
        record.turns,
        record.attempt,
        SUCCEEDED if record.status is _SUCCEEDED else str(record.status.value),
        record.output,
        record.source,
        None if record.verdict is None else str(record.verdict.value),
        record.error,
        record.started_at,
        record.finished_at,
        session,
        fence,
        seq,
    )


def unfold(stored: StoredStep) -> StepRow:
    """Return a new row for a stored form."""
    node, turns, attempt, status, output, source, verdict, error, began, ended = stored[:10]
    record = StepRecord(
        node=node,
        turns=turns,
        attempt=attempt,
        status=StepStatus(status),
        output=output,
        source=source,
        verdict=None if verdict is None else Verdict(verdict),
        error=error,
        started_at=began,
        finished_at=ended,
    )
    session, fence, seq = stored[10:]
    return StepRow(record=record, session=session, fence=fence, seq=seq)


def output_of(stored: StoredStep | None) -> bytes | None:
    """Return the output of a succeeded step."""
    return stored[4] if stored is not None and stored[3] == SUCCEEDED else None
