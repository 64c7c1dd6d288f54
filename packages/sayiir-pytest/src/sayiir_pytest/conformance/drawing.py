"""Draw checkpoints that a driver could send, and some that it should not have sent.

The effects are legal for the cursor's state, as the engine would make them, but random: records,
moves, forks of any shape, waits, failures, arrivals. No two records share a step, because every
move goes to turns that were never used before.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import TypeVar

from hypothesis import strategies as st

from sayiir_core.ids import RunId
from sayiir_core.snapshot.effect import (
    Arrive,
    AwaitSignal,
    Bind,
    Checkpoint,
    Child,
    Effect,
    Fail,
    Finish,
    Lease,
    Move,
    Record,
    Retry,
    Sleep,
    Spawn,
    Start,
)
from sayiir_core.snapshot.head import Cursor, CursorKey, CursorState
from sayiir_core.snapshot.motion import follow
from sayiir_core.snapshot.reference import INPUT, JoinRef, Ref, RoutedRef, StepRef
from sayiir_core.snapshot.step import StepRecord, StepStatus
from sayiir_core.workflow.node import END, ROOT
from sayiir_pytest.conformance.sample import ERROR, NOBODY
from sayiir_pytest.conformance.twin import Twin

NAMES = ("a", "b")
"""The signals that are sent and awaited."""

GROUPS = ("", "g")
"""The groups of nodes."""

LANES = (GROUPS, GROUPS, GROUPS[:1], ())
"""The groups whose lanes a session may serve."""

T = TypeVar("T")


_Kind = Callable[[Lease, Cursor], tuple[Effect, ...]]
_EITHER = st.booleans()


class Drawing:
    """Draw checkpoints for the cursors that sessions hold in a twin."""

    def __init__(self, twin: Twin, data: st.DataObject) -> None:
        """Draw from ``data``; remember which branch belongs to which parent."""
        self.twin = twin
        self.data = data
        self.parents: dict[tuple[RunId, CursorKey], CursorKey] = {}
        self._serial = count(1)

    def batch(self, most: int = 6) -> list[Checkpoint]:
        """Return checkpoints of several cursors, in an order that keeps each cursor's own."""
        batch: list[Checkpoint] = []
        held = self.twin.model.held()
        for head, cursor in self._some(held, 5) if held else []:
            lease = self.twin.model.lease(head, cursor)
            chain = self._chain(lease, cursor.copy())
            batch = self._interleaved(batch, chain)
        spoiled = [self._spoiled(it) for it in batch if self._rarely()]
        for wrong in [*spoiled, *self._repeated(batch)]:
            batch.insert(self._number(0, len(batch)), wrong)
        return batch[:most] if self._rarely() else batch

    def _interleaved(self, one: list[Checkpoint], two: list[Checkpoint]) -> list[Checkpoint]:
        mixed: list[Checkpoint] = []
        rest, more = list(one), list(two)
        while rest and more:
            mixed.append((rest if self.data.draw(st.booleans()) else more).pop(0))
        return [*mixed, *rest, *more]

    def _repeated(self, batch: list[Checkpoint]) -> list[Checkpoint]:
        known = [*self.twin.sent[-8:], *batch]
        return self._some(known, 2) if known and self._rarely() else []

    def _spoiled(self, checkpoint: Checkpoint) -> Checkpoint:
        lease = checkpoint.lease
        others = [it for it in self.twin.model.sessions if it != lease.session] or [NOBODY]
        wrong: list[Checkpoint] = [
            replace(checkpoint, seq=checkpoint.seq + 50),
            replace(checkpoint, lease=replace(lease, fence=lease.fence + 1)),
            replace(checkpoint, lease=replace(lease, fence=max(0, lease.fence - 1))),
            replace(checkpoint, lease=replace(lease, session=others[0])),
            replace(checkpoint, lease=replace(lease, run_id=RunId(str(uuid.UUID(int=7))))),
            replace(checkpoint, lease=replace(lease, index=(*lease.index, 9))),
        ]
        return self.data.draw(st.sampled_from(wrong))

    def arrivals(self) -> list[Checkpoint]:
        """Return checkpoints that end some of the branches which are held, in any order."""
        held = [it for it in self.twin.model.held() if it[1].scope != ROOT]
        batch: list[Checkpoint] = []
        for head, cursor in self._some(held, len(held)):
            lease = self.twin.model.lease(head, cursor)
            chain = [Checkpoint(lease, cursor.seq, self._end(lease, cursor), not self._rarely())]
            if self.data.draw(st.booleans()):
                chain.insert(0, Checkpoint(lease, cursor.seq, (Start(),)))
                chain[1].seq += 1
            batch = self._interleaved(batch, chain)
        return [*batch, *self._repeated(batch)]

    def failures(self) -> list[Checkpoint]:
        """Return failed attempts, with a second or two of back-off, of some that are held."""
        held = [it for it in self.twin.model.held() if it[1].state is CursorState.READY]
        batch: list[Checkpoint] = []
        for head, cursor in self._some(held, 3) if held else []:
            lease = self.twin.model.lease(head, cursor)
            at = self.twin.rig.clock.now() + timedelta(seconds=self._number(1, 2))
            effects = (self._record(cursor, StepStatus.FAILED), Retry(at))
            batch.append(Checkpoint(lease, cursor.seq, effects))
        return batch

    def fork(self) -> Checkpoint:
        """Return a checkpoint that forks the first cursor which is held."""
        head, cursor = self.twin.model.held()[0]
        lease = self.twin.model.lease(head, cursor)
        effects = self._fork(lease, cursor)
        keep = self.data.draw(_EITHER)
        return Checkpoint(lease, cursor.seq, effects, keep, self._take(effects))

    # --- the checkpoints of one cursor -------------------------------------------------------

    def _chain(self, lease: Lease, cursor: Cursor) -> list[Checkpoint]:
        chain: list[Checkpoint] = []
        for _ in range(self._number(1, 3)):
            keep = not self._rarely()
            effects = self._effects(lease, cursor)
            take = self._take(effects)
            chain.append(Checkpoint(lease, cursor.seq, effects, keep, take))
            if not follow(cursor, chain[-1], self.twin.rig.clock.now()):
                break
        return chain

    def _take(self, effects: tuple[Effect, ...]) -> frozenset[int]:
        """Draw which branches the writer of a fork takes: none, all, some, one with a stray."""
        last = effects[-1]
        if not isinstance(last, Spawn):
            return frozenset()
        scopes = [child.scope for child in last.children]
        takes = [[], scopes, scopes[::2], [scopes[-1], scopes[-1] + 1]]
        return frozenset(self.data.draw(st.sampled_from(takes)))

    def _effects(self, lease: Lease, cursor: Cursor) -> tuple[Effect, ...]:
        if cursor.node == END:
            return (Finish(cursor.input),)
        kinds: list[_Kind] = [self._bind, self._fork, self._sleep]
        kinds += [self._step] * 4
        kinds += [self._await_signal] * 2
        kinds += [self._fork] * 3 if cursor.scope == ROOT else [self._end] * 4
        kinds.append(self._end)
        if self._rarely():
            kinds = [self._fail, self._capped]
        elif cursor.state is CursorState.READY:
            kinds += [self._retry, self._start]
        return self.data.draw(st.sampled_from(kinds))(lease, cursor)

    def _record(self, cursor: Cursor, status: StepStatus = StepStatus.SUCCEEDED) -> Record:
        ok = status is StepStatus.SUCCEEDED
        sourced = ok and self._rarely()
        return Record(
            StepRecord(
                node=cursor.node,
                turns=cursor.turns,
                attempt=cursor.attempt + 1,
                status=status,
                output=b"output" if ok and not sourced else None,
                source=INPUT if sourced else None,
                error=None if ok else ERROR,
                finished_at=self.twin.rig.clock.now(),
            )
        )

    def _move(self, cursor: Cursor) -> Move:
        values: list[Ref] = [
            StepRef(cursor.node, cursor.turns),
            INPUT,
            JoinRef(1, 2, cursor.turns),
            RoutedRef(StepRef(cursor.node), StepRef(cursor.node, cursor.turns)),
        ]
        return Move(
            node=self._number(0, 3),
            turns=(next(self._serial),),
            input=self.data.draw(st.sampled_from(values)),
            group=self.data.draw(st.sampled_from(GROUPS)),
            priority=self._number(1, 5),
        )

    def _step(self, _lease: Lease, cursor: Cursor) -> tuple[Effect, ...]:
        return self._record(cursor), self._move(cursor)

    def _start(self, _lease: Lease, _cursor: Cursor) -> tuple[Effect, ...]:
        return (Start(),)

    def _bind(self, _lease: Lease, cursor: Cursor) -> tuple[Effect, ...]:
        number = next(self._serial)
        bind = Bind(900, (number,), StepRef(cursor.node, cursor.turns))
        return self._record(cursor), bind, self._move(cursor)

    def _retry(self, _lease: Lease, cursor: Cursor) -> tuple[Effect, ...]:
        status = self.data.draw(st.sampled_from([StepStatus.FAILED, StepStatus.TIMED_OUT]))
        at = self.twin.rig.clock.now() + timedelta(seconds=self._number(-1, 5))
        return self._record(cursor, status), Retry(at)

    def _fail(self, _lease: Lease, cursor: Cursor) -> tuple[Effect, ...]:
        return self._record(cursor, StepStatus.FAILED), Fail(ERROR)

    def _capped(self, _lease: Lease, cursor: Cursor) -> tuple[Effect, ...]:
        return self._record(cursor), self._move(cursor), Fail(ERROR)

    def _sleep(self, _lease: Lease, cursor: Cursor) -> tuple[Effect, ...]:
        until = self.twin.rig.clock.now() + timedelta(seconds=self._number(0, 5))
        return self._record(cursor), self._move(cursor), Sleep(until)

    def _await_signal(self, _lease: Lease, cursor: Cursor) -> tuple[Effect, ...]:
        name = self.data.draw(st.sampled_from(NAMES))
        seconds = self.data.draw(st.sampled_from([None, 0, 3]))
        timeout = None if seconds is None else timedelta(seconds=seconds)
        return self._record(cursor), self._move(cursor), AwaitSignal(name, timeout)

    def _fork(self, lease: Lease, cursor: Cursor) -> tuple[Effect, ...]:
        move = self._move(cursor)
        first = 10 * cursor.scope + 1
        children = tuple(
            Child(scope, scope, (*move.turns, 0), move.group, move.priority)
            for scope in range(first, first + self._number(1, 4))
        )
        for child in children:
            self.parents[lease.run_id, CursorKey(child.scope, move.turns)] = cursor.key
        return self._record(cursor), move, Spawn(children, move.input)

    def _end(self, lease: Lease, cursor: Cursor) -> tuple[Effect, ...]:
        value = StepRef(cursor.node, cursor.turns)
        if cursor.scope == ROOT:
            return self._record(cursor), Finish(value)
        return self._record(cursor), Arrive(value, self.parents[lease.run_id, cursor.key])

    # --- chances -----------------------------------------------------------------------------------

    def _number(self, least: int, most: int) -> int:
        return self.data.draw(st.integers(least, most))

    def _rarely(self) -> bool:
        return self.data.draw(st.sampled_from([*[False] * 3, True, *[False] * 3]))

    def _some(self, items: list[T], most: int) -> list[T]:
        chosen = st.lists(
            st.sampled_from(range(len(items))), min_size=1, max_size=most, unique=True
        )
        return [items[number] for number in self.data.draw(chosen)]
