"""What happens to one cursor: it is placed, granted, held, woken by a signal.

``apply`` and the requests from outside are made of these. ``follow`` does to the holder's own copy
what ``apply`` has done to the stored cursor.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sayiir_core.ids import SessionId
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.effect import Bind, Checkpoint, Finish, Lease, Move, Record, Start
from sayiir_core.snapshot.head import Cursor, CursorState, Head, InstanceState
from sayiir_core.snapshot.step import StepStatus

# Bound once, because every step asks: finding a member in its enum takes several times as long.
_READY: Final = CursorState.READY
_SUCCEEDED: Final = StepStatus.SUCCEEDED


def place(cursor: Cursor, move: Move, now: datetime) -> None:
    """Set a cursor's position, ready now, with attempts and deaths counted afresh."""
    cursor.node = move.node
    cursor.turns = move.turns
    cursor.input = move.input
    cursor.group = move.group
    cursor.priority = move.priority
    cursor.state = _READY
    cursor.available_at = now
    cursor.attempt = cursor.fresh_from = 0
    cursor.signal = cursor.delivered = cursor.started_at = None
    cursor.avoid = cursor.avoid_until = None
    cursor.deaths = ()


def complete(head: Head, checkpoint: Checkpoint, effect: Finish, now: datetime) -> None:
    """End a run with its output, and with it its last cursor; nobody owns it any more."""
    header, lease = head.header, checkpoint.lease
    header.state = InstanceState.COMPLETED
    header.output = effect.value
    header.finished_at = now
    header.owner = None
    header.ended_by = (lease.fence, checkpoint.seq)
    del head.cursors[lease.key]


def note_attempt(cursor: Cursor, effect: Record) -> None:
    """Count a recorded attempt that did not succeed; any record clears the deaths."""
    cursor.deaths = ()
    if effect.step.status is not _SUCCEEDED:
        cursor.attempt = effect.step.attempt


def deliver(cursor: Cursor, seq: int, now: datetime) -> None:
    """Hand a signal to the cursor that waits for it; its node is then advanced by a claim."""
    cursor.state = CursorState.SIGNALLED
    cursor.delivered = seq
    cursor.signal = None
    cursor.available_at = now
    cursor.session = None


def grant(head: Head, cursor: Cursor, session: SessionId, claim_no: int = 0) -> Claim:
    """Give a cursor to a session under a new fence; ``claim_no`` is 0 if no claim call asked."""
    cursor.session = session
    cursor.claim_no = claim_no
    cursor.fence += 1
    header = head.header
    lease = Lease(
        header.instance_id, header.run_id, cursor.scope, cursor.index, session, cursor.fence
    )
    return Claim(lease, header.identity, cursor.copy(), header.trace_parent, {})


def hold(head: Head, *, except_for: Cursor | None = None) -> list[Cursor]:
    """Hold every cursor; those that execute are stopped by their own next commit."""
    changed = [c for c in head.cursors.values() if not c.held and c is not except_for]
    for cursor in changed:
        cursor.held = True
    return changed


def follow(cursor: Cursor, checkpoint: Checkpoint, now: datetime) -> bool:
    """Bring the holder's copy up to date after an unheld, kept commit of its own.

    Returns whether the holder still holds it, ready to go on. The copy must be forgotten if not.
    """
    cursor.seq += 1
    going = checkpoint.keep
    for effect in checkpoint.effects:
        if type(effect) is Record:
            note_attempt(cursor, effect)
        elif type(effect) is Move:
            place(cursor, effect, now)
        elif type(effect) is Start:
            cursor.started_at = now
        elif type(effect) is not Bind:
            going = False
    return going
