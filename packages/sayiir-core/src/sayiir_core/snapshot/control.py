"""What requests from outside do to a head: cancel, pause, unpause, retry, send, own, claim.

Each that changes a head does so in place and returns the cursors that it touched, or refuses
with ``InstanceStateError``. All of them decide on the header and every cursor of the run, so a store
calls them with a full head under the instance's lock.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sayiir_core.errors import InstanceStateError
from sayiir_core.ids import SessionId
from sayiir_core.snapshot.head import (
    Cursor,
    CursorState,
    Head,
    InstanceState,
    Lane,
    PendingSignal,
)
from sayiir_core.snapshot.motion import deliver, hold
from sayiir_core.snapshot.status import status_of


def cancel(head: Head, *, reason: str | None, by: str | None, now: datetime) -> list[Cursor]:
    """Cancel at once what is parked or queued; running bodies end at their commit.

    Cancelling twice changes nothing and keeps the first reason.
    """
    header = head.header
    if header.state is InstanceState.CANCELLED:
        return []
    _require(head, "cancel", InstanceState.RUNNING, InstanceState.PAUSED)
    header.state = InstanceState.CANCELLED
    header.reason, header.requested_by = reason, by
    header.finished_at = now
    return hold(head)


def pause(head: Head, *, reason: str | None, by: str | None) -> list[Cursor]:
    """Hold everything until ``unpause``; timers go on running. Pausing twice changes nothing."""
    header = head.header
    if header.state is InstanceState.PAUSED:
        return []
    _require(head, "pause", InstanceState.RUNNING)
    header.state = InstanceState.PAUSED
    header.reason, header.requested_by = reason, by
    return hold(head)


def unpause(head: Head) -> list[Cursor]:
    """Release what the pause held, or withdraw a pause that still waits for a body to end."""
    header = head.header
    _require(head, "unpause", InstanceState.PAUSED)
    header.state = InstanceState.RUNNING
    header.reason = header.requested_by = None
    return _release_hold(head)


def retry(head: Head) -> list[Cursor]:
    """Revive a failed instance: failed cursors with fresh attempts, held ones where they were."""
    header = head.header
    if header.state is not InstanceState.FAILED or head.executing:
        raise InstanceStateError(
            header.instance_id, operation="retry", status=status_of(head).value
        )
    header.state = InstanceState.RUNNING
    header.error = header.finished_at = None
    return _release_hold(head)


def send(head: Head, signal: PendingSignal, now: datetime) -> Cursor | None:
    """Deliver a signal to the first cursor that waits for it in time, or keep it in the inbox.

    A signal wins exactly if the store receives it before the deadline. Returns the cursor that
    got it. A cancelled instance, which will never go on, keeps the signal like a completed one.
    """
    cancelled = head.header.state is InstanceState.CANCELLED
    for key in () if cancelled else sorted(head.cursors):
        cursor = head.cursors[key]
        if (
            cursor.state is CursorState.AWAITING
            and cursor.signal == signal.name
            and cursor.session is None
            and (cursor.available_at is None or now < cursor.available_at)
        ):
            deliver(cursor, signal.seq, now)
            return cursor
    head.inbox.append(signal)
    return None


def own(head: Head, session: SessionId) -> SessionId | None:
    """Make a session the instance's owner, unless another one holds any of it.

    Returns the session in the way, None if the ownership was granted.
    """
    header = head.header
    if header.owner is not None and header.owner != session:
        return header.owner
    for cursor in head.cursors.values():
        if cursor.session is not None and cursor.session != session:
            return cursor.session
    header.owner = session
    return None


def disown(head: Head, session: SessionId) -> list[Cursor]:
    """End an ownership and release every cursor that the owner still holds."""
    if head.header.owner != session:
        return []
    head.header.owner = None
    return release(head, session)


def release(head: Head, session: SessionId) -> list[Cursor]:
    """Give back, uncounted, what a session holds."""
    changed = [cursor for cursor in head.cursors.values() if cursor.session == session]
    for cursor in changed:
        cursor.session = cursor.started_at = None
    return changed


def bereave(head: Head, session: SessionId) -> list[Cursor]:
    """Take everything from a dead session, and charge its death to what it may have been running.

    A cursor's first death counts on suspicion alone. From then on its body is started only after
    a ``Start`` is stored, and further deaths count only with that mark: so a body that kills its
    process is told from its neighbours in the same batch.
    """
    if head.header.owner == session:
        head.header.owner = None
    changed = [cursor for cursor in head.cursors.values() if cursor.session == session]
    for cursor in changed:
        if cursor.started_at is not None or not cursor.deaths:
            cursor.deaths = (*cursor.deaths, session)
        cursor.session = cursor.started_at = None
    return changed


def due_for_owner(head: Head, session: SessionId, now: datetime) -> list[Cursor]:
    """Return what the owner may claim now, the longest due first."""
    if head.header.owner != session:
        return []
    due = [cursor for cursor in head.cursors.values() if cursor.claimable(now)]
    return sorted(due, key=lambda cursor: (cursor.available_at or now, cursor.key))


def due_for_pool(head: Head, lanes: Collection[Lane], now: datetime) -> list[Cursor]:
    """Return what a pool that serves these lanes may claim now; nothing of an owned run."""
    header = head.header
    if header.owner is not None:
        return []
    return [
        cursor
        for cursor in head.cursors.values()
        if cursor.claimable(now) and Lane(header.identity, cursor.group) in lanes
    ]


def claim_order(cursor: Cursor, aging_interval: timedelta) -> datetime:
    """Return the sort key of the queue: a priority is worth one interval of waiting."""
    assert cursor.available_at is not None
    return cursor.available_at + cursor.priority * aging_interval


def _release_hold(head: Head) -> list[Cursor]:
    changed = [cursor for cursor in head.cursors.values() if cursor.held]
    for cursor in changed:
        cursor.held = False
    return changed


def _require(head: Head, operation: str, *allowed: InstanceState) -> None:
    header = head.header
    if header.state not in allowed:
        raise InstanceStateError(
            header.instance_id, operation=operation, status=status_of(head).value
        )
