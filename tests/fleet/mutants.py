"""Workers, runners and reasons with one bug each; stores are in ``mutant_stores``."""

# ruff: noqa: ARG002, D102

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from sayiir_core.engine.condition import Condition
from sayiir_core.engine.explain import Explanation, explain
from sayiir_core.engine.outcome import TimedOut
from sayiir_core.errors import BackendError
from sayiir_core.ids import RunKey, SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.snapshot.answer import (
    COMMITTED,
    Answer,
    Committed,
    Lost,
    LostReason,
    Refused,
)
from sayiir_core.snapshot.effect import Lease
from sayiir_core.snapshot.head import (
    Head,
)
from sayiir_runtime.runner.attempt import Attempt
from sayiir_runtime.runner.checkpointing import CheckpointingRunner
from sayiir_runtime.runner.ownership import Ownerships
from sayiir_runtime.worker.claimer import Claimer
from sayiir_runtime.worker.committer import Committer
from sayiir_runtime.worker.desk import Desk
from sayiir_runtime.worker.held import Held, Phase
from sayiir_runtime.worker.ready import Ready
from sayiir_runtime.worker.script import Script

_FOR_EVER = 1e9


class NeverReleasesAClaim(Claimer):
    def _give_back(self) -> Script[None]:
        self._unanswered.clear()
        leases = self._desk.give_back()
        if leases:
            yield partial(self._backend.claims.release, leases)


class NeverReconciles(Claimer):
    def _reconcile(self) -> Script[None]:
        return
        yield


class WaitsForHintsOnly(Claimer):
    def _until_due(self, found: int) -> Script[float]:
        due = yield partial(self._backend.claims.next_due, self._desk.serving.lanes)
        return _FOR_EVER if due is None else max(0.1, (due - self._backend.now()).total_seconds())


class LooksAtHintsOnly(Claimer):
    def _until_due(self, found: int) -> Script[float]:
        yield partial(self._backend.claims.next_due, self._desk.serving.lanes)
        return _FOR_EVER


class TakesSilenceFor(Committer):
    """Take a lost answer for one that came."""

    def answer(self, batch: list[Held]) -> list[Answer]:
        raise NotImplementedError

    def turn(self) -> Script[float]:
        script = super().turn()
        try:
            call = next(script)
        except StopIteration as end:
            return end.value
        batch = [held for held in self._desk._held.values() if held.phase is Phase.COMMITTING]
        by_checkpoint = {id(held.checkpoint): held for held in batch}
        try:
            result = yield call
        except BackendError:
            (sent,) = call.args
            kept = [by_checkpoint[id(it)] for it in sent if id(it) in by_checkpoint]
            result = self.answer(kept) if len(kept) == len(sent) else [_LOST] * len(sent)
        try:
            script.send(result)
        except StopIteration as end:
            return end.value
        return 0.0


class TakesSilenceForSuccess(TakesSilenceFor):
    def answer(self, batch: list[Held]) -> list[Answer]:
        return [COMMITTED] * len(batch)


class TakesSilenceForFailure(TakesSilenceFor):
    def answer(self, batch: list[Held]) -> list[Answer]:
        return [_LOST] * len(batch)


class AsksAgainUnderANewSeq(Committer):
    def _next(self) -> list[Held]:
        is_again = bool(self._unsent)
        batch = super()._next()
        for held in batch if is_again else ():
            if held.checkpoint is not None:
                held.checkpoint.seq += 1
        return batch


class MarksTooEarly(Desk):
    """Store a Start as soon as a cursor is there, so that it waits with its mark."""

    def _queue(self, held: Held) -> None:
        super()._queue(held)
        if held.phase is Phase.READY and held.is_unmarked:
            self._ready.remove(held)
            held.phase = Phase.ENDED
            self._ended.append(held)


class MarksNothing(Desk):
    def _queue(self, held: Held) -> None:
        super()._queue(held)
        held.is_unmarked = False


class _Crowd(Ready):
    def _next_suspect(self, is_async: bool) -> Held | None:
        self._suspect = None
        return super()._next_suspect(is_async)


class KeepsSuspectsTogether(Desk):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._ready = _Crowd()


class ForgetsWhatARepeatLeavesOut(Desk):
    """Take a repeated answer for a whole one: the branches that the first one gave are forgotten."""

    def answered(self, batch: Sequence[Held], answers: Sequence[Answer]) -> None:
        super().answered(batch, answers)
        self.gate.is_unclear = False


class ForgetsWhenItDrains(Desk):
    """Give back nothing of what is left at the end."""

    def give_back(self) -> list[Lease]:
        leases = super().give_back()
        return [] if self.is_draining else leases


class GoesOnWhenHeld(Desk):
    def _take_answer(self, held: Held, answer: Committed | Refused, now: datetime) -> None:
        is_held = isinstance(answer, Committed) and answer.held
        super()._take_answer(held, COMMITTED if is_held else answer, now)


class KeepsWhatIsLost(Desk):
    def answered(self, batch: Sequence[Held], answers: Sequence[Answer]) -> None:
        pairs = zip(batch, answers, strict=True)
        kept = [(held, answer) for held, answer in pairs if not isinstance(answer, Lost)]
        super().answered([held for held, _ in kept], [answer for _, answer in kept])


class TakesLateResults(Desk):
    """Tell the body of its timeout, and go on waiting for it."""

    def overdue(self) -> list[Attempt]:
        late: list[Attempt] = []
        for held in self._deadlines.take(self.monotonic()):
            assert held.attempt is not None
            late.append(held.attempt)
            if held.attempt.body.is_async:
                held.attempt.time_out()
                self._end(held)
        return late


class GivesUpOnlyWhatIsLate(Desk):
    """Tell nobody of a body whose cursor was lost and taken again."""

    def overdue(self) -> list[Attempt]:
        return [it for it in super().overdue() if isinstance(it.outcome, TimedOut)]


class NeverTimesOut(Desk):
    def overdue(self) -> list[Attempt]:
        return []


class TimesOutTooEarly(Desk):
    """Believe that it is a second later, whenever it looks at what runs too long."""

    def overdue(self) -> list[Attempt]:
        late: list[Attempt] = []
        for held in self._deadlines.take(self.monotonic() + 1.0):
            assert held.attempt is not None
            held.attempt.time_out()
            late.append(held.attempt)
            self._end(held)
        return late


class TriesWhatIsRefusedForEver(Desk):
    def _refuse(self, held: Held, answer: Refused) -> None:
        self._give_back(held)


class NeverRests(Committer):
    """Look for the next batch at once, also if there was none."""

    def turn(self) -> Script[float]:
        yield from super().turn()
        return 0.0


class SendsABadBatchAgain(Committer):
    """Send a batch that the store fails on again as it is, instead of one by one."""

    def _set_apart(self, batch: list[Held], error: Exception) -> None:
        self._desk.gate.end_commit(self)
        self._unsent.append(batch)


# Runners.


class _NeverGivesBackLater(Ownerships):
    def give_back(self, run: RunKey, session: SessionId) -> None:
        try:
            self._backend.ownership.disown(session, run)
        except BackendError:
            return
        finally:
            self._keeper.drives.leave(run)


class KeepsWhatItCannotGiveBack(CheckpointingRunner):
    def __init__(self, backend: Backend, **options: Any) -> None:
        super().__init__(backend, **options)
        self._ownerships = _NeverGivesBackLater(backend, self._keeper, waiting=self._waiting)


_LOST = Lost(LostReason.STALE)


# What explains.


def silent_about_joins(head: Head, *arguments: Any, **options: Any) -> list[Explanation]:
    found = explain(head, *arguments, **options)
    return [it for it in found if it.condition is not Condition.JOINING]


def hopes_for_workers(head: Head, *arguments: Any, **options: Any) -> list[Explanation]:
    """Take what no worker serves for what any worker may take."""
    found = explain(head, *arguments, **options)
    return [
        replace(it, condition=Condition.CLAIMABLE) if it.condition is Condition.UNSERVED else it
        for it in found
    ]
