"""What one worker holds, and what it does next with it: no threads, no I/O, no clock of its own.

How this works: a claimed cursor is *ready* until a body runs, *running*, then *ended* until its
checkpoint is taken for a batch, and *committing* until the store has answered. The answer says
whether the worker goes on with the cursor (it is ready again, with its next task) or forgets it.
Control nodes need no body and are ended at once. Whoever drives the desk (the threads of a worker,
or a simulation) makes the calls to the store and runs the bodies, and reports what came of it.
Every method may be called from several threads.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sayiir_core.engine.outcome import Started, Succeeded
from sayiir_core.ids import SessionId
from sayiir_core.snapshot.answer import Answer, Claim, Committed, Lost, Refused
from sayiir_core.snapshot.effect import Lease, Spawn
from sayiir_core.snapshot.motion import follow
from sayiir_runtime.runner.attempt import Attempt
from sayiir_runtime.runner.bodiless import outcome_without_body
from sayiir_runtime.worker.arrivals import Arrivals
from sayiir_runtime.worker.counts import Counts
from sayiir_runtime.worker.deadlines import Deadlines
from sayiir_runtime.worker.gate import Gate
from sayiir_runtime.worker.held import Held, Phase, Place
from sayiir_runtime.worker.pace import Pace
from sayiir_runtime.worker.ready import Ready
from sayiir_runtime.worker.serving import Serving
from sayiir_runtime.worker.sticky import Stickiness

logger = logging.getLogger("sayiir.worker")

RESERVE_SECONDS: Final = 5.0
"""How long a claimed cursor may wait for its body before it goes back to the queue, at most."""

BATCH_STEPS: Final = 500
BATCH_BYTES: Final = 8 * 1024 * 1024


class Desk:
    """The cursors of one worker; ``clock`` is the store's, ``monotonic`` counts seconds."""

    def __init__(
        self,
        serving: Serving,
        *,
        concurrency: int,
        aging_interval: timedelta,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        reserve_seconds: float = RESERVE_SECONDS,
    ) -> None:
        self.serving: Final = serving
        self.concurrency: Final = concurrency
        self.counts: Final = Counts()
        self.clock: Final = clock
        self.monotonic: Final = monotonic
        self.reserve_seconds: Final = reserve_seconds
        self.is_draining = False
        self.aside: Final[dict[object, int]] = {}  # how many committers keep; they take no room
        self.gate: Final = Gate()
        self._pace = Pace(concurrency)
        self._sticky = Stickiness(serving, aging_interval, clock)
        self._lock = threading.Lock()
        self._held: dict[Place, Held] = {}
        self._ready = Ready()
        self._running = 0
        # Those whose Start is being stored: each has its slot already.
        self._marking: set[Held] = set()
        self._ended: deque[Held] = deque()
        self._deadlines = Deadlines()
        self._arrivals = Arrivals()
        self._returned: list[Lease] = []
        self._orphans: list[Attempt] = []  # of dropped cursors; they run until somebody is told

    # Claiming.

    def quota(self) -> int:
        """Return how many cursors to claim now, 0 for none."""
        with self._lock:
            target = 0 if self.is_draining else self._pace.target(self.monotonic())
            held = len(self._held) - sum(self.aside.values())
            room = target - held - self._sticky.expected
            starving = self._running < self.concurrency and not self._ready
            return room if room > 0 and (starving or room * 8 >= target) else 0

    def admit(self, claims: Sequence[Claim], limit: int) -> None:
        """Take in what a claim of up to ``limit`` cursors gave."""
        with self._lock:
            self.counts.claimed += len(claims)
            self._sticky.note_claim(claims, limit)
            if claims and not self._held:
                self._pace.begin(self.monotonic())
            for claim in claims:
                self._admit(claim)

    def _admit(self, claim: Claim, giver: Held | None = None) -> None:
        """Take in a claim, perhaps one that the commit of another cursor gave."""
        program = self.serving.programs.get(claim.identity)
        if program is None or self.is_draining:
            self._returned.append(claim.lease)
            return
        rank = self._sticky.rank(claim) if giver is None else self._sticky.rank_behind(giver, claim)
        held = Held(claim, program, rank, self.monotonic())
        if giver is not None:
            held.come_from(giver)
        held.carry = self._arrivals.join(program, claim) or held.carry
        if (former := self._held.get(held.place)) is not None:
            # Lost without notice, and taken again: what the former body returns is refused.
            self._leave(former)
        self._held[held.place] = held
        self._queue(held)

    def _queue(self, held: Held) -> None:
        """Put a held cursor where it belongs: to be run, or to be committed without a body."""
        held.attempt = held.checkpoint = None
        self._marking.discard(held)
        if not held.is_suspect:
            self._ready.free(held)
        outcome = held.outcome = outcome_without_body(held.program, held.claim)
        held.is_unmarked = type(outcome) is Started
        if outcome is not None and not held.is_unmarked:
            held.phase = Phase.ENDED
            self._ended.append(held)
            return
        if self.is_draining:
            self._give_back(held)
            return
        held.phase = Phase.READY
        held.body = held.program.body(held.claim.cursor.node)
        held.waiting_since = self.monotonic()
        self._ready.put(held)

    # Running bodies.

    def take(self, is_async: bool) -> Held | None:
        """Return the next cursor whose body shall run now, None if there is none or no room."""
        with self._lock:
            latest = self.monotonic() - self.reserve_seconds
            while self._has_room() and (held := self._ready.take(is_async)) is not None:
                if held.waiting_since <= latest:
                    # What stood here too long may be in other hands already.
                    self.counts.put_back += 1
                    self._give_back(held)
                elif held.is_unmarked:
                    self._mark(held)
                else:
                    held.phase = Phase.RUNNING
                    self._running += 1
                    self.counts.started += 1
                    return held
            return None

    def _has_room(self) -> bool:
        return self._running + len(self._marking) < self.concurrency

    def _mark(self, held: Held) -> None:
        """Let its Start be stored first; not earlier, or it is charged for what runs before it."""
        self._marking.add(held)
        held.phase = Phase.ENDED
        self._ended.append(held)

    def waiting(self, is_async: bool) -> int:
        """Return how many bodies could start now if there were room."""
        return self._ready.waiting(is_async) if self._has_room() else 0

    def started(self, held: Held) -> bool:
        """Note that the attempt of a cursor is about to be called; False if it was given up."""
        if held.phase is not Phase.RUNNING:
            return False
        assert held.body is not None
        assert held.attempt is not None
        seconds = held.body.timeout_seconds
        if seconds is not None:
            with self._lock:
                until = self.monotonic() + seconds
                self._deadlines.add(until, held, held.attempt, self.concurrency)
        return True

    def ended(self, held: Held, attempt: Attempt) -> None:
        """Note that a body has ended; nothing if nobody waits for it any more."""
        with self._lock:
            if held.attempt is not attempt or held.phase is not Phase.RUNNING:
                return
            if attempt.outcome is None:
                # An exit of one task ends no worker that runs others (SEMANTICS, Decisions).
                assert attempt.error is not None
                attempt.fail(attempt.error)
            self._end(held)

    def _end(self, held: Held) -> None:
        assert held.attempt is not None
        self._running -= 1
        held.outcome = held.attempt.outcome
        held.phase = Phase.ENDED
        self._ended.append(held)
        self._pace.note(self.monotonic())

    def unfit(self, held: Held) -> None:
        """Give back a cursor whose input could not be read just now."""
        with self._lock:
            if held.phase is Phase.RUNNING:
                self._give_back(held)

    def overdue(self) -> list[Attempt]:
        """Time out the bodies that run too long; return all attempts that are to be abandoned."""
        with self._lock:
            for held in self._deadlines.take(self.monotonic()):
                assert held.attempt is not None
                held.attempt.time_out()
                self._orphans.append(held.attempt)
                self.counts.timed_out += 1
                self._end(held)
            return self._unwanted()

    def next_deadline(self) -> float | None:
        """Return when, on the monotonic clock, the next timeout may be due."""
        with self._lock:
            return self._deadlines.next()

    def running(self) -> list[Held]:
        """Return the cursors whose bodies run."""
        with self._lock:
            return self._ones(Phase.RUNNING)

    def _ones(self, phase: Phase) -> list[Held]:
        return [held for held in self._held.values() if held.phase is phase]

    # Committing.

    def batch(self) -> list[Held]:
        """Take what has ended, each with its checkpoint, to be committed and resent in this order."""
        with self._lock:
            now, moment = self.clock(), self.monotonic()
            batch: list[Held] = []
            size = 0
            while self._ended and len(batch) < BATCH_STEPS and size < BATCH_BYTES:
                held = self._ended.popleft()
                if held.phase is Phase.ENDED and self._check_out(held, now, moment):
                    batch.append(held)
                    if type(held.outcome) is Succeeded:
                        size += len(held.outcome.output)
            return batch

    def _check_out(self, held: Held, now: datetime, moment: float) -> bool:
        try:
            checkpoint = held.advance(now)
            checkpoint.keep = not self.is_draining and self._sticky.keeps(held, checkpoint, moment)
            if checkpoint.keep and type(checkpoint.effects[-1]) is Spawn:
                room = self._pace.most(moment) - len(self._held)
                self._sticky.take_branches(held, checkpoint, moment, room)
        except Exception:
            # A defect of ours must not stop the other steps of the batch.
            logger.exception("instance %s cannot go on", held.claim.lease.instance_id)
            self._give_back(held)
            return False
        held.checkpoint = checkpoint
        held.phase = Phase.COMMITTING
        return True

    def can_commit(self, least: int = 1, *, beside: bool = False) -> bool:
        """Tell whether there is so much to commit, and it may go now."""
        return len(self._ended) >= least and self.gate.is_open(beside=beside)

    def expect_nothing_of(self, held: Held) -> None:
        """Keep no room for branches of a fork that cannot be stored now; they go to the queue."""
        with self._lock:
            self._sticky.leave_branches(held)

    def answered(self, batch: Sequence[Held], answers: Sequence[Answer]) -> None:
        """Go on with what the store has answered."""
        with self._lock:
            # First, whatever fails: what is expected no more would keep its room for ever.
            self._sticky.note_answers(batch)
            now = self.clock()
            for held, answer in zip(batch, answers, strict=True):
                if isinstance(answer, Lost):
                    self.counts.refused += 1
                    self._drop(held)
                elif held.phase is Phase.COMMITTING:
                    self._take_answer(held, answer, now)
                else:
                    # Forgotten meanwhile; what the answer would have given is given back.
                    self.gate.is_unclear = True

    def _take_answer(self, held: Held, answer: Committed | Refused, now: datetime) -> None:
        checkpoint = held.checkpoint
        assert checkpoint is not None
        if isinstance(answer, Refused):
            self._refuse(held, answer)
            return
        held.carry = held.carried()
        self._arrivals.note(checkpoint, held.carry)
        self.counts.note(held, answer)
        if answer.replayed:
            # With the first answer it was lost what the store did beyond this cursor.
            self.gate.is_unclear = True
            self._drop(held)
        elif answer.held or not follow(held.claim.cursor, checkpoint, now):
            self._drop(held)
        else:
            self._sticky.move(held, checkpoint)
            self._queue(held)
        for claim in answer.claims:
            self._admit(claim, held)

    def _refuse(self, held: Held, answer: Refused) -> None:
        """Fail the step whose record the store cannot hold; nothing else ever ends it."""
        if held.refuse(answer.why):
            held.phase = Phase.ENDED
            self._ended.append(held)
        else:
            lease = held.claim.lease
            logger.error("instance %s: %s: %s", lease.instance_id, held.path, answer.why)
            self._give_back(held)

    # Giving back.

    def give_back(self) -> list[Lease]:
        """Return, once, the leases to release: of what waited too long, or may not go on here."""
        with self._lock:
            moment, longest = self.monotonic(), self.reserve_seconds
            patience = longest if self._has_room() else self._pace.patience(moment, longest)
            for held in self._ones(Phase.READY):
                if held.waiting_since <= moment - patience:
                    self._ready.remove(held)
                    self.counts.put_back += 1
                    self._give_back(held)
            returned, self._returned = self._returned, []
            return returned

    def drain(self) -> None:
        """Start nothing more; what runs may end and is committed."""
        with self._lock:
            self.is_draining = True
            for held in self._ones(Phase.READY):
                self._ready.remove(held)
                self._give_back(held)

    def is_idle(self) -> bool:
        """Tell whether nothing is held and nothing has to be given back."""
        with self._lock:
            return not self._held and not self._returned

    def leases(self) -> list[Lease]:
        """Return what the worker knows that it holds."""
        with self._lock:
            return [held.claim.lease for held in self._held.values()]

    def forget(self, session: SessionId) -> list[Attempt]:
        """Forget what a session held that has ended; return what of it still runs."""
        with self._lock:
            for held in [h for h in self._held.values() if h.claim.lease.session == session]:
                self._leave(held)
            return self._unwanted()

    def forget_unanswered(self, batch: Sequence[Held]) -> None:
        """Forget what of a batch is still awaited; a reconciliation frees it for others."""
        with self._lock:
            for held in (held for held in batch if held.phase is Phase.COMMITTING):
                self._drop(held)
            self.gate.is_unclear = True

    def abandon_running(self) -> list[Attempt]:
        """Give back what still runs, uncounted; return its attempts, to be abandoned."""
        with self._lock:
            for held in self._ones(Phase.RUNNING):
                self._give_back(held)
            return self._unwanted()

    def _unwanted(self) -> list[Attempt]:
        orphans, self._orphans = self._orphans, []
        return orphans

    def _give_back(self, held: Held) -> None:
        self._returned.append(held.claim.lease)
        self._drop(held)

    def _leave(self, held: Held) -> None:
        if held.phase is Phase.READY:
            self._ready.remove(held)
        self._drop(held)

    def _drop(self, held: Held) -> None:
        if held.phase is Phase.RUNNING:
            self._running -= 1
            if held.attempt is not None:
                held.attempt.is_set = True
                self._orphans.append(held.attempt)
        held.phase = Phase.GONE
        self._marking.discard(held)
        self._ready.free(held)
        if self._held.get(held.place) is held:
            del self._held[held.place]
