"""What an instance is seen to do: derived from its head, never stored."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from sayiir_core.snapshot.head import Cursor, CursorState, Head, InstanceState


class StatusWord(StrEnum):
    """The status that users see."""

    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    AWAITING_SIGNAL = "awaiting_signal"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


_RESTING: Final = {
    InstanceState.PAUSED: StatusWord.PAUSED,
    InstanceState.COMPLETED: StatusWord.COMPLETED,
    InstanceState.FAILED: StatusWord.FAILED,
    InstanceState.CANCELLED: StatusWord.CANCELLED,
}


def status_of(head: Head, now: datetime | None = None) -> StatusWord:
    """Return the status: a stored state counts from the moment when no body runs any more.

    Of several live cursors one that can run (also in back-off) makes it in progress; else one
    that awaits a signal; else the delays remain. With ``now``, what is due counts as able to run.
    """
    resting = _RESTING.get(head.header.state)
    if resting is not None:
        return StatusWord.IN_PROGRESS if head.executing else resting
    states = {_seen(cursor, now) for cursor in head.cursors.values()}
    for word in (StatusWord.IN_PROGRESS, StatusWord.AWAITING_SIGNAL, StatusWord.WAITING):
        if word in states:
            return word
    return StatusWord.IN_PROGRESS


def _seen(cursor: Cursor, now: datetime | None) -> StatusWord | None:
    if cursor.session is not None or (now is not None and cursor.claimable(now)):
        return StatusWord.IN_PROGRESS
    match cursor.state:
        case CursorState.JOINING:
            return None
        case CursorState.AWAITING:
            return StatusWord.AWAITING_SIGNAL
        case CursorState.SLEEPING:
            return StatusWord.WAITING
        case _:
            return StatusWord.IN_PROGRESS


def waiting_cursor(head: Head) -> Cursor | None:
    """Return the sleeping cursor that is due first, if any sleeps."""
    sleeping = [c for c in head.cursors.values() if c.state is CursorState.SLEEPING]
    return min(sleeping, key=_due, default=None)


def awaiting_cursor(head: Head) -> Cursor | None:
    """Return the cursor with the lowest key that awaits a signal, if any does."""
    awaiting = [c for c in head.cursors.values() if c.state is CursorState.AWAITING]
    return min(awaiting, key=lambda cursor: cursor.key, default=None)


def _due(cursor: Cursor) -> tuple[datetime, tuple[int, tuple[int, ...]]]:
    assert cursor.available_at is not None
    return cursor.available_at, cursor.key
