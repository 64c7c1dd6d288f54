"""What a head tells the driver of a run: whether it is still its own, and when something is due."""

from __future__ import annotations

from datetime import datetime

from sayiir_core.ids import RunId, SessionId
from sayiir_core.snapshot.answer import LostReason
from sayiir_core.snapshot.head import CursorState, Head, InstanceState


def loss_of(head: Head, run_id: RunId, session: SessionId) -> LostReason | None:
    """Return why a session has lost the run that it drove, None if it still owns it.

    Nothing can be claimed of a run that is owned no longer, however much of it is due.
    """
    header = head.header
    if header.run_id != run_id:
        return LostReason.REPLACED
    taken = header.state is InstanceState.RUNNING and header.owner != session
    return LostReason.TAKEN if taken else None


def next_due(head: Head, now: datetime, *, wait_for_delays: bool) -> datetime | None:
    """Return when the next cursor that a drive waits for is due, None if there is none.

    A drive waits for back-offs, and for delays if it is told to.
    """
    states = {CursorState.READY, CursorState.SIGNALLED}
    if wait_for_delays:
        states.add(CursorState.SLEEPING)
    times = [
        cursor.available_at
        for cursor in head.cursors.values()
        if cursor.available_at is not None and (cursor.state in states or cursor.claimable(now))
    ]
    return min(times, default=None)


def is_at_rest(head: Head, now: datetime) -> bool:
    """Tell whether nothing of a running run can go on before a later time or a signal."""
    return next_due(head, now, wait_for_delays=False) is None
