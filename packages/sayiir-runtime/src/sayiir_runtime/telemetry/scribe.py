"""What a call of a store and its answer tell: the events behind checkpoints and claims.

How this works: nothing here asks what a worker or a runner meant. A checkpoint lists its effects, and
its answer says whether they are stored; so every driver, whatever it is, tells the same events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sayiir_core.errors import BackendError
from sayiir_core.ids import Index
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.telemetry import (
    BatchCommitted,
    CursorReleased,
    Event,
    NodeClaimed,
    NodeParked,
    NodeWoken,
    RunEnded,
    RunPlace,
    StepRecorded,
    Wake,
    WriteRefused,
)
from sayiir_core.snapshot.answer import Answer, Claim, Committed, Lost, Refused
from sayiir_core.snapshot.effect import (
    Arrive,
    AwaitSignal,
    Checkpoint,
    Effect,
    Fail,
    Finish,
    Lease,
    Move,
    Record,
    Retry,
    Sleep,
    Spawn,
)
from sayiir_core.snapshot.head import CursorState, InstanceState
from sayiir_core.snapshot.step import StepRecord
from sayiir_core.workflow.node import END
from sayiir_runtime.telemetry.run_book import RunBook

Emit = Callable[[Event], None]
Rest = Callable[[RunPlace], None]

GOES_ON: Final = (Move, Spawn, Arrive)
"""The last effects after which more of the run may follow at once, in this process."""

_NO_TIME: Final = timedelta(0)
_WAKES: Final = {
    CursorState.SLEEPING: Wake.TIMER,
    CursorState.SIGNALLED: Wake.SIGNAL,
    CursorState.AWAITING: Wake.DEADLINE,
}


class Scribe:
    """Write down what happened to the runs of one backend."""

    def __init__(self, backend: Backend, emit: Emit, rest: Rest) -> None:
        self.book: Final = RunBook(backend)
        self._backend = backend
        self._emit = emit
        self._rest = rest

    def claimed(self, claims: Iterable[Claim], now: datetime) -> None:
        """Tell what a session has taken."""
        for claim in claims:
            lease, cursor = claim.lease, claim.cursor
            self.book.note(lease.run_id, claim.identity)
            node = self.book.node(lease, cursor.node, cursor.turns)
            due = cursor.available_at
            self._emit(
                NodeClaimed(
                    at=now,
                    node=node,
                    session=lease.session,
                    group=cursor.group,
                    priority=cursor.priority,
                    attempt=cursor.attempt - cursor.fresh_from + 1,
                    deaths=len(cursor.deaths),
                    waited=_NO_TIME if due is None else max(now - due, _NO_TIME),
                )
            )
            wake = _WAKES.get(cursor.state)
            if wake is not None:
                self._emit(NodeWoken(now, node, wake))

    def released(self, leases: Iterable[Lease], now: datetime) -> None:
        """Tell what a session has given back."""
        for lease in leases:
            run = self.book.place(lease.instance_id, lease.run_id)
            self._emit(CursorReleased(now, run, lease.session))
            self._rest(run)

    def committed(
        self,
        batch: Sequence[Checkpoint],
        answers: Sequence[Answer],
        now: datetime,
        duration: timedelta,
    ) -> None:
        """Tell what a batch has changed, and what it has not."""
        replayed = lost = refused = 0
        for checkpoint, answer in zip(batch, answers, strict=True):
            match answer:
                case Lost(why):
                    lost += 1
                    lease = checkpoint.lease
                    node = self.book.node(lease, *_place(checkpoint.effects))
                    self._emit(WriteRefused(now, node, lease.session, why))
                case Refused():
                    refused += 1
                case Committed() if answer.replayed:
                    # It was stored by the call whose answer was lost, and is told once, now.
                    replayed += 1
                    self._stored(checkpoint, now)
                case Committed():
                    self._stored(checkpoint, now)
                    self.claimed(answer.claims, now)
            if not isinstance(answer, Committed) or answer.held or not checkpoint.keep:
                self._rests(checkpoint)
        self._emit(BatchCommitted(now, len(batch), duration, replayed, lost, refused))

    def _stored(self, checkpoint: Checkpoint, now: datetime) -> None:
        effects = checkpoint.effects
        if not isinstance(effects[-1], GOES_ON):
            self._rests(checkpoint)
        retry = effects[-1].at if isinstance(effects[-1], Retry) else None
        ordinal = END
        turns: Index = ()
        for effect in effects:
            match effect:
                case Record(step):
                    self._recorded(checkpoint, step, retry, now)
                    ordinal, turns = step.node, step.turns
                case Move():
                    ordinal, turns = effect.node, effect.turns
                case Sleep(until):
                    node = self.book.node(checkpoint.lease, ordinal, turns)
                    self._emit(NodeParked(now, node, until, None))
                case AwaitSignal(name, timeout):
                    node = self.book.node(checkpoint.lease, ordinal, turns)
                    deadline = None if timeout is None else now + timeout
                    self._emit(NodeParked(now, node, deadline, name))
                case Finish():
                    self._ended(checkpoint, InstanceState.COMPLETED, None, now)
                case Fail(error):
                    if self._is_first_failure(checkpoint, effect):
                        self._ended(checkpoint, InstanceState.FAILED, error.type, now)
                case _:
                    pass

    def _rests(self, checkpoint: Checkpoint) -> None:
        lease = checkpoint.lease
        self._rest(self.book.place(lease.instance_id, lease.run_id))

    def _recorded(
        self, checkpoint: Checkpoint, step: StepRecord, retry: datetime | None, now: datetime
    ) -> None:
        self._emit(
            StepRecorded(
                at=now,
                node=self.book.node(checkpoint.lease, step.node, step.turns),
                attempt=step.attempt,
                status=step.status,
                error=None if step.error is None else step.error.type,
                started_at=step.started_at,
                finished_at=step.finished_at,
                size=0 if step.output is None else len(step.output),
                retry_at=retry,
            )
        )

    def _ended(
        self, checkpoint: Checkpoint, state: InstanceState, error: str | None, now: datetime
    ) -> None:
        lease = checkpoint.lease
        run = self.book.place(lease.instance_id, lease.run_id)
        self._emit(RunEnded(now, run, state, error))

    def _is_first_failure(self, checkpoint: Checkpoint, fail: Fail) -> bool:
        """Ask whether the run failed by this: siblings may fail, too, and only one ends it."""
        try:
            (header,) = self._backend.instances.headers([checkpoint.lease.instance_id])
        except BackendError:
            return True
        return header is not None and header.error == fail.error


def _place(effects: Sequence[Effect]) -> tuple[int, Index]:
    """Return the node that a checkpoint is about, as far as it says."""
    for effect in effects:
        if isinstance(effect, Record):
            return effect.step.node, effect.step.turns
        if isinstance(effect, Move):
            return effect.node, effect.turns
    return END, ()
