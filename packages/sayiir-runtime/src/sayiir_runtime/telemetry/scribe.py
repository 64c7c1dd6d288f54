"""What a call of a store and its answer tell: the events behind checkpoints and claims.

How this works: facts go in and events come out, on whatever thread; nothing here asks what a worker or a runner meant. A checkpoint lists its effects, and
its answer says whether they are stored; so every driver, whatever it is, tells the same events.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

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

WRITTEN: Final = (BatchCommitted, WriteRefused, StepRecorded, NodeParked, RunEnded)
"""What a commit tells."""

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

    def __init__(self, backend: Backend) -> None:
        self.book: Final = RunBook(backend)

    def claimed(self, claims: Iterable[Claim], now: datetime) -> Iterator[Event]:
        """Yield what a session has taken."""
        for claim in claims:
            lease, cursor = claim.lease, claim.cursor
            self.book.note(lease.run_id, claim.identity)
            node = self.book.node(lease, cursor.node, cursor.turns)
            due = cursor.available_at
            yield NodeClaimed(
                at=now,
                node=node,
                session=lease.session,
                group=cursor.group,
                priority=cursor.priority,
                attempt=cursor.attempt - cursor.fresh_from + 1,
                deaths=len(cursor.deaths),
                waited=_NO_TIME if due is None else max(now - due, _NO_TIME),
            )
            wake = _WAKES.get(cursor.state)
            if wake is not None:
                yield NodeWoken(now, node, wake)

    def released(self, leases: Iterable[Lease], now: datetime) -> Iterator[Event]:
        """Yield what a session has given back."""
        for lease in leases:
            run = self.book.place(lease.instance_id, lease.run_id)
            yield CursorReleased(now, run, lease.session)

    def committed(
        self,
        batch: Sequence[Checkpoint],
        answers: Sequence[Answer],
        now: datetime,
        seconds: float,
        repeated: Collection[int],
    ) -> list[Event]:
        """Return what a batch, which took so long, has changed, and what it has not.

        ``repeated`` says at which positions a run fails that had failed before.
        """
        told: list[Event] = []
        replayed = lost = refused = 0
        for position, (checkpoint, answer) in enumerate(zip(batch, answers, strict=True)):
            match answer:
                case Lost(why):
                    lost += 1
                    lease = checkpoint.lease
                    node = self.book.node(lease, *_place(checkpoint.effects))
                    told.append(WriteRefused(now, node, lease.session, why))
                case Refused():
                    refused += 1
                case Committed():
                    # What is replayed was stored by the call whose answer was lost, and is told now.
                    replayed += answer.replayed
                    told += self._stored(checkpoint, now, fails=position not in repeated)
        duration = timedelta(seconds=seconds)
        told.append(BatchCommitted(now, len(batch), duration, replayed, lost, refused))
        return told

    def _stored(self, checkpoint: Checkpoint, now: datetime, *, fails: bool) -> Iterator[Event]:
        effects, lease, node = checkpoint.effects, checkpoint.lease, self.book.node
        retry = effects[-1].at if isinstance(effects[-1], Retry) else None
        ordinal = END
        turns: Index = ()
        for effect in effects:
            match effect:
                case Record(step):
                    yield self._recorded(lease, step, retry, now)
                    ordinal, turns = step.node, step.turns
                case Move():
                    ordinal, turns = effect.node, effect.turns
                case Sleep(until):
                    yield NodeParked(now, node(lease, ordinal, turns), until, None)
                case AwaitSignal(name, timeout):
                    deadline = None if timeout is None else now + timeout
                    yield NodeParked(now, node(lease, ordinal, turns), deadline, name)
                case Finish():
                    yield self._ended(lease, InstanceState.COMPLETED, None, now)
                case Fail(error) if fails:
                    yield self._ended(lease, InstanceState.FAILED, error.type, now)
                case _:
                    pass

    def _recorded(
        self, lease: Lease, step: StepRecord, retry: datetime | None, now: datetime
    ) -> StepRecorded:
        return StepRecorded(
            at=now,
            node=self.book.node(lease, step.node, step.turns),
            attempt=step.attempt,
            status=step.status,
            error=None if step.error is None else step.error.type,
            started_at=step.started_at,
            finished_at=step.finished_at,
            size=0 if step.output is None else len(step.output),
            retry_at=retry,
        )

    def _ended(
        self, lease: Lease, state: InstanceState, error: str | None, now: datetime
    ) -> RunEnded:
        return RunEnded(now, self.book.place(lease.instance_id, lease.run_id), state, error)


def _place(effects: Sequence[Effect]) -> tuple[int, Index]:
    """Return the node that a checkpoint is about, as far as it says."""
    for effect in effects:
        if isinstance(effect, Record):
            return effect.step.node, effect.step.turns
        if isinstance(effect, Move):
            return effect.node, effect.turns
    return END, ()
