"""The meaning of a commit.

How this works: ``apply`` changes a head in place and reports what it touched, so that a store can
write exactly the difference. It takes six kinds of decision, and no store takes any of them by
another rule: whether the guard holds; what a hold (pause, cancel, failure) does to the cursor;
when a join is complete; whether a park finds its signal waiting; by which instant a deadline is
set; and how the instance ends. A checkpoint whose guard holds cannot fail half-way.

The head may be partial; ``needs`` says which rows the effects of a checkpoint decide on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from sayiir_core.ids import SessionId
from sayiir_core.snapshot.answer import (
    COMMITTED,
    HELD,
    REPLAYED,
    Answer,
    Claim,
    Committed,
    Lost,
    LostReason,
)
from sayiir_core.snapshot.effect import (
    Arrive,
    AwaitSignal,
    Bind,
    Checkpoint,
    Effect,
    Fail,
    Finish,
    Move,
    Record,
    Retry,
    Sleep,
    Spawn,
    Start,
)
from sayiir_core.snapshot.head import Cursor, CursorKey, CursorState, Head, InstanceState
from sayiir_core.snapshot.motion import complete, deliver, grant, hold, note_attempt, place
from sayiir_core.snapshot.step import ScopeRow, StepRow
from sayiir_core.workflow.node import END


class Applied:
    """What a commit changed: the answer, the cursors touched or removed, the rows to add.

    ``added`` are new cursors; ``consumed`` are the inbox numbers of the signals delivered.
    """

    __slots__ = (
        "added",
        "answer",
        "consumed",
        "header_changed",
        "removed",
        "scopes",
        "steps",
        "touched",
    )

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.touched: list[Cursor] = []
        self.added: list[Cursor] = []
        self.removed: list[CursorKey] = []
        self.steps: list[StepRow] = []
        self.scopes: list[ScopeRow] = []
        self.consumed: list[int] = []
        self.header_changed = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """The rows beside its own cursor that a checkpoint decides on.

    ``instance``: the header, locked before any cursor. ``every_cursor``: all cursors of the run.
    ``parent``: the join to count down. ``signal``: the inbox, for this name.
    """

    instance: bool = False
    every_cursor: bool = False
    parent: CursorKey | None = None
    signal: str | None = None


def needs(checkpoint: Checkpoint) -> Needs:
    """Return what a partial head must hold for this checkpoint."""
    instance = every = False
    parent: CursorKey | None = None
    signal: str | None = None
    for effect in checkpoint.effects:
        match effect:
            case Fail():
                instance = every = True
            case Spawn() | Finish():
                instance = True
            case AwaitSignal(name):
                instance, signal = True, name
            case Arrive(_, key):
                parent = key
            case _:
                pass
    return Needs(instance=instance, every_cursor=every, parent=parent, signal=signal)


def apply(head: Head, checkpoint: Checkpoint, now: datetime) -> Applied:
    """Apply one checkpoint to a head in place; ``now`` is the store's clock."""
    refused = check_guard(head, checkpoint)
    if refused is not None:
        return Applied(refused)
    cursor = head.cursors[checkpoint.lease.key]
    commit = _Commit(head, cursor, checkpoint, now)
    cursor.seq += 1
    for effect in checkpoint.effects:
        commit.apply(effect)
    return commit.finish()


def check_guard(head: Head, checkpoint: Checkpoint) -> Answer | None:
    """Return the answer to a checkpoint whose guard does not hold, None if it holds."""
    lease = checkpoint.lease
    if head.header.run_id != lease.run_id:
        return _REPLACED
    cursor = head.cursors.get(lease.key)
    mark = (lease.fence, checkpoint.seq)
    if cursor is None:
        if head.arrived.get(lease.key) == mark or head.header.ended_by == mark:
            return REPLAYED
        return _GONE
    if cursor.fence != lease.fence:
        return _TAKEN
    if cursor.seq == checkpoint.seq + 1:
        return REPLAYED
    if cursor.seq != checkpoint.seq:
        return _STALE
    if cursor.session != lease.session:
        return _TAKEN
    return None


_REPLACED: Final = Lost(LostReason.REPLACED)
_GONE: Final = Lost(LostReason.GONE)
_TAKEN: Final = Lost(LostReason.TAKEN)
_STALE: Final = Lost(LostReason.STALE)


class _Commit:
    """The application of one checkpoint to its cursor."""

    __slots__ = ("applied", "checkpoint", "claims", "cursor", "head", "now", "present")

    def __init__(self, head: Head, cursor: Cursor, checkpoint: Checkpoint, now: datetime) -> None:
        self.head = head
        self.cursor = cursor
        self.checkpoint = checkpoint
        self.now = now
        self.applied = Applied(COMMITTED)
        self.claims: list[Claim] = []
        self.present = True

    def finish(self) -> Applied:
        applied, cursor = self.applied, self.cursor
        if not self.present:
            applied.removed.append(cursor.key)
        else:
            applied.touched.insert(0, cursor)
            if cursor.held:
                cursor.session = cursor.started_at = None
                applied.answer = HELD
            elif not self.checkpoint.keep:
                cursor.session = cursor.started_at = None
        if self.claims:
            held = self.present and cursor.held
            applied.answer = Committed(held=held, claims=tuple(self.claims))
        return applied

    def apply(self, effect: Effect) -> None:
        match effect:
            case Record():
                self._record(effect)
            case Move():
                place(self.cursor, effect, self.now)
            case Retry(at):
                self._retry(at)
            case Sleep(until):
                self._rest(CursorState.SLEEPING, until)
            case AwaitSignal():
                self._await_signal(effect)
            case Spawn():
                self._spawn(effect)
            case Arrive():
                self._arrive(effect)
            case Bind(scope, index, value):
                lease = self.checkpoint.lease
                row = ScopeRow(
                    scope=scope,
                    index=index,
                    value=value,
                    fence=lease.fence,
                    seq=self.checkpoint.seq,
                )
                self.applied.scopes.append(row)
            case Finish():
                self._finish(effect)
            case Fail():
                self._fail(effect)
            case Start():
                self.cursor.started_at = self.now
            case _:
                assert_never(effect)

    def _record(self, effect: Record) -> None:
        lease = self.checkpoint.lease
        row = StepRow(effect.step, lease.session, lease.fence, self.checkpoint.seq)
        self.applied.steps.append(row)
        note_attempt(self.cursor, effect)

    def _retry(self, at: datetime) -> None:
        self._rest(CursorState.READY, at)
        self.cursor.avoid = self.checkpoint.lease.session
        self.cursor.avoid_until = at + min(max(at - self.now, _NO_TIME), AVOIDANCE)

    def _rest(self, state: CursorState, available_at: datetime | None) -> None:
        cursor = self.cursor
        cursor.state = state
        cursor.available_at = available_at
        cursor.session = None
        cursor.started_at = None

    def _await_signal(self, effect: AwaitSignal) -> None:
        inbox = self.head.inbox
        for position, signal in enumerate(inbox):
            if signal.name == effect.name:
                del inbox[position]
                self.applied.consumed.append(signal.seq)
                deliver(self.cursor, signal.seq, self.now)
                return
        deadline = None if effect.timeout is None else self.now + effect.timeout
        self._rest(CursorState.AWAITING, deadline)
        self.cursor.signal = effect.name

    def _spawn(self, effect: Spawn) -> None:
        header, parent = self.head.header, self.cursor
        held = header.state is not InstanceState.RUNNING
        writer, taken = self.checkpoint.lease.session, self.checkpoint.take
        for child in effect.children:
            cursor = Cursor(
                child.scope,
                parent.turns,
                child.node,
                child.turns,
                effect.input,
                child.group,
                child.priority,
                CursorState.READY,
                self.now,
            )
            cursor.held = held
            self.head.cursors[cursor.key] = cursor
            self.applied.added.append(cursor)
            if not held:
                taker = writer if child.scope in taken else None
                self._reserve(cursor, header.owner or taker)
        self._rest(CursorState.JOINING, None)
        parent.pending = len(effect.children)

    def _arrive(self, effect: Arrive) -> None:
        lease, cursor = self.checkpoint.lease, self.cursor
        mark = (lease.fence, self.checkpoint.seq)
        self.applied.scopes.append(
            ScopeRow(
                scope=cursor.scope,
                index=cursor.index,
                value=effect.value,
                fence=mark[0],
                seq=mark[1],
            )
        )
        self.head.arrived[cursor.key] = mark
        del self.head.cursors[cursor.key]
        self.present = False
        parent = self.head.cursors[effect.parent]
        parent.pending -= 1
        self.applied.touched.append(parent)
        if parent.pending == 0:
            parent.state = CursorState.READY
            parent.available_at = self.now
            if not parent.held:
                keeper = lease.session if self.checkpoint.keep else None
                self._reserve(parent, self.head.header.owner or keeper)

    def _finish(self, effect: Finish) -> None:
        cursor = self.cursor
        if cursor.held:
            cursor.node, cursor.turns, cursor.input = END, (), effect.value
            self._rest(CursorState.READY, self.now)
            return
        complete(self.head, self.checkpoint, effect, self.now)
        self.applied.header_changed = True
        self.present = False

    def _fail(self, effect: Fail) -> None:
        cursor, header = self.cursor, self.head.header
        cursor.fresh_from = cursor.attempt
        self._rest(CursorState.READY, self.now)
        if header.state in _CAN_FAIL:
            header.state = InstanceState.FAILED
            header.error = effect.error
            header.finished_at = self.now
            self.applied.header_changed = True
        self.applied.touched.extend(hold(self.head, except_for=cursor))
        cursor.held = True

    def _reserve(self, cursor: Cursor, session: SessionId | None) -> None:
        if session is not None:
            self.claims.append(grant(self.head, cursor, session))


AVOIDANCE: Final = timedelta(seconds=2)
"""How long, at most, a failed attempt is left to other sessions after it has become due."""

_NO_TIME: Final = timedelta(0)
_CAN_FAIL: Final = frozenset({InstanceState.RUNNING, InstanceState.PAUSED})
