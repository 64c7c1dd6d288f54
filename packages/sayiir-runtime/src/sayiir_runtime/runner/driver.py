"""The drive loop: run one owned instance until it ends, parks or is taken away.

How this works: the driver holds claims. A claim at a task with nothing else to do runs in the
driver's own thread; several run on pool threads and on an event loop, and end in one queue. What
has ended is turned into checkpoints by the engine and committed as one batch, by this thread
alone: commits never share a thread with a body that somebody waits for. The answers say which
claims go on. When nothing is left the driver looks once more at the store, and waits for
back-offs, but not for delays and signals unless it is told to.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from sayiir_core.engine.advance import advance
from sayiir_core.engine.outcome import Outcome, Started, Succeeded
from sayiir_core.ids import SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.snapshot.answer import Claim, Committed, Lost, LostReason, Refused
from sayiir_core.snapshot.effect import Checkpoint, Finish, Retry, Sleep
from sayiir_core.snapshot.head import CursorKey, InstanceState
from sayiir_core.snapshot.motion import follow
from sayiir_core.snapshot.reference import StepRef
from sayiir_runtime.runner.attempt import INTERRUPTIONS, Attempt
from sayiir_runtime.runner.bodies import BodyRunner, DriveStoppedError
from sayiir_runtime.runner.bodiless import outcome_without_body
from sayiir_runtime.runner.chain import Chain
from sayiir_runtime.runner.drive_result import DriveResult
from sayiir_runtime.runner.hold import Hold
from sayiir_runtime.runner.input import MISSING, Carry, InputReader
from sayiir_runtime.runner.lookout import Watch
from sayiir_runtime.runner.outlook import loss_of, next_due
from sayiir_runtime.runner.program import Program, TaskBody
from sayiir_runtime.runner.refusal import fail_refused

logger = logging.getLogger("sayiir.runner")

POLL_SECONDS: Final = 0.25
_BREATH_SECONDS: Final = 0.001


class Driver:
    """Drive one instance that its session owns."""

    def __init__(
        self,
        backend: Backend,
        program: Program,
        bodies: BodyRunner,
        *,
        session: SessionId,
        watch: Watch,
        wait_for_delays: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend = backend
        self._commit = backend.checkpoints.commit
        self._now: Callable[[], datetime] = backend.now
        self._monotonic = monotonic
        self._program = program
        self._definition = program.definition
        self._bodies = bodies
        self._session = session
        self._watch = watch
        self._run = run = watch.run
        self._wait_for_delays = wait_for_delays
        self._inputs = InputReader(
            backend.results, program.codec, program.definition, run.instance_id, run.run_id
        )
        self._ready: deque[Hold] = deque()
        self._running: dict[CursorKey, tuple[Hold, Attempt]] = {}
        self._due: datetime | None = None
        self._halted = False
        self._unclear = False
        self._claim_no = 0
        self._looked = 0.0
        self._result = DriveResult()

    def drive(
        self, claim: Claim | None = None, *, failed: BaseException | None = None
    ) -> DriveResult:
        """Run until nothing can go on; raises what a body raised that is no error.

        ``claim`` is the first cursor of a run that was just created. With ``failed`` the body
        there was already called, and raised that.
        """
        if claim is not None and failed is not None:
            self._fail(Hold(claim), failed, None)
        elif claim is not None:
            self._ready.append(Hold(claim))
        return self._drive()

    def drive_on(self, chain: Chain) -> DriveResult:
        """Run on from where a chain has ended, as ``drive`` does."""
        self._go_on(chain)
        return self._drive()

    def _drive(self) -> DriveResult:
        result = self._result
        while result.lost is None and not result.completed:
            if self._bodies.stopped:
                raise DriveStoppedError
            if self._unclear:
                self._resync()
            if self._ready and not self._halted:
                self._start_ready()
            elif self._running:
                self._collect()
            elif not self._refill():
                break
        return result

    # Starting what is ready.

    def _start_ready(self) -> None:
        while self._ready and not self._halted and self._result.lost is None:
            hold = self._ready[0]
            if hold.suspicion and any(o.suspicion < hold.suspicion for o in self._ready):
                self._ready.rotate(-1)
                continue
            if self._is_kept_apart(hold):
                break
            outcome = outcome_without_body(self._program, hold.claim)
            if outcome is not None:
                self._ready.popleft()
                self._settle([hold], [outcome])
                if type(outcome) is Started:
                    self._ready.rotate(1)
            elif len(self._ready) == 1 and not self._running and self._body(hold).inline:
                self._ready.popleft()
                self._run_inline(hold, self._body(hold))
            elif self._bodies.has_room(self._body(hold).is_async):
                self._ready.popleft()
                self._start_body(hold)
            else:
                break
        if self._running:
            self._collect()

    def _is_kept_apart(self, hold: Hold) -> bool:
        """Tell whether a hold must wait, since it or what runs may be killing the process."""
        running = next(iter(self._running.values()), None)
        return running is not None and bool(hold.suspicion or running[0].suspicion)

    def _body(self, hold: Hold) -> TaskBody:
        return self._program.body(hold.claim.cursor.node)

    def _attempt(self, hold: Hold, body: TaskBody) -> Attempt | None:
        """Prepare an attempt; None if its input cannot be decoded, which is settled here."""
        attempt = Attempt(self._program, body, hold.claim, MISSING, self._now)
        try:
            if body.takes_value:
                attempt.value = self._inputs.read(hold.claim, hold.carry, body)
        except INTERRUPTIONS:
            raise
        except BaseException as error:
            if not self._inputs.is_unfit(error):
                raise
            self._settle([hold], [attempt.fail(error)])
            self._result.errors[body.node.path] = error
            return None
        return attempt

    def _run_inline(self, hold: Hold, body: TaskBody) -> None:
        """Run what can be called in this thread, while that is all there is to do."""
        carry = hold.carry
        if carry is not None and carry.leaf == hold.claim.cursor.input:
            chain = Chain(self._program, hold.claim, carry)
            self._watch.inline = chain
            chain.run(self._commit, self._now, self._bodies)
            self._watch.inline = None
            self._go_on(chain)
            return
        attempt = self._attempt(hold, body)
        if attempt is None:
            return
        self._watch.inline = attempt
        outcome = attempt.run()
        self._watch.inline = None
        if outcome is None:
            assert attempt.error is not None
            raise attempt.error
        self._settle([hold], [outcome], [attempt])

    def _go_on(self, chain: Chain) -> None:
        hold = Hold(chain.claim, chain.carry)
        answer = chain.answer
        if chain.failure is not None:
            self._fail(hold, chain.failure, chain.began_at)
        elif answer is None:
            self._ready.append(hold)
        elif isinstance(answer, Refused):
            self._refuse(hold, chain.outcome(), answer)
        else:
            self._take_answer(hold, chain.checkpoint, answer, chain.carry, chain.ended_at)

    def _fail(self, hold: Hold, error: BaseException, began_at: datetime | None) -> None:
        attempt = Attempt(self._program, self._body(hold), hold.claim, MISSING, self._now)
        if began_at is not None:
            attempt.started_at = began_at
        self._settle([hold], [attempt.fail(error)], [attempt])

    def _start_body(self, hold: Hold) -> None:
        attempt = self._attempt(hold, self._body(hold))
        if attempt is not None:
            former = self._running.get(hold.claim.lease.key)
            if former is not None:
                # Lost without notice, and taken again: what that body returns is refused.
                self._bodies.abandon(former[1])
            self._running[hold.claim.lease.key] = (hold, attempt)
            self._bodies.start(attempt)

    # Collecting what has ended.

    def _collect(self) -> None:
        ended = self._bodies.wait(self._patience())
        ended.extend(self._bodies.overdue(attempt for _, attempt in self._running.values()))
        holds: list[Hold] = []
        outcomes: list[Outcome] = []
        attempts: list[Attempt] = []
        for attempt in ended:
            entry = self._running.get(attempt.claim.lease.key)
            if entry is None or entry[1] is not attempt:
                continue
            del self._running[attempt.claim.lease.key]
            if attempt.outcome is None:
                assert attempt.error is not None
                raise attempt.error
            holds.append(entry[0])
            outcomes.append(attempt.outcome)
            attempts.append(attempt)
        if holds:
            self._settle(holds, outcomes, attempts)
        self._look_around()

    def _patience(self) -> float:
        waits = [POLL_SECONDS]
        if self._due is not None:
            waits.append((self._due - self._now()).total_seconds())
        return max(0.0, min(waits))

    def _look_around(self) -> None:
        """While bodies run, notice requests from outside, timers that are due, and signals."""
        moment = self._monotonic()
        now = self._now()
        due = self._due is not None and now >= self._due
        if not self._running or not (due or moment - self._looked > POLL_SECONDS):
            return
        self._looked = moment
        self._due = None
        head = self._backend.instances.load(self._run.instance_id)
        why = loss_of(head, self._run.run_id, self._session)
        if why is not None:
            self._give_up(why)
        elif head.header.state is not InstanceState.RUNNING:
            self._halt()
            if head.header.state is InstanceState.CANCELLED:
                for _, attempt in self._running.values():
                    attempt.give_up()
        else:
            self._halted = False
            if any(c.claimable(now) for c in head.cursors.values()):
                self._claim()

    # Committing.

    def _settle(
        self, holds: list[Hold], outcomes: list[Outcome], attempts: Sequence[Attempt | None] = ()
    ) -> None:
        """Commit what happened as one batch."""
        now = self._now()
        definition = self._definition
        batch = [
            advance(definition, hold.claim, outcome, now=now)
            for hold, outcome in zip(holds, outcomes, strict=True)
        ]
        answers = self._commit(batch)
        for position, hold in enumerate(holds):
            answer = answers[position]
            if isinstance(answer, Refused):
                self._refuse(hold, outcomes[position], answer)
                continue
            attempt = attempts[position] if attempts else None
            if attempt is not None and attempt.error is not None:
                self._result.errors[attempt.body.node.path] = attempt.error
            carry = self._carry(hold, outcomes[position], attempt)
            self._take_answer(hold, batch[position], answer, carry, now)

    def _refuse(self, hold: Hold, outcome: Outcome, refused: Refused) -> None:
        path = self._definition.nodes[hold.claim.cursor.node].path
        self._settle([hold], [fail_refused(path, outcome, refused)])

    def _carry(self, hold: Hold, outcome: Outcome, attempt: Attempt | None) -> Carry | None:
        """Remember a new value, so that its first consumer needs no read."""
        cursor = hold.claim.cursor
        if type(outcome) is Succeeded and attempt is not None:
            return Carry(StepRef(cursor.node, cursor.turns), outcome.output, attempt.result)
        return hold.carry

    def _take_answer(
        self,
        hold: Hold,
        checkpoint: Checkpoint,
        answer: Committed | Lost,
        carry: Carry | None,
        now: datetime,
    ) -> None:
        if isinstance(answer, Lost):
            self._lose(hold, answer)
            return
        if answer.claims:
            self._ready.extend(Hold(claim, carry) for claim in answer.claims)
        if answer.replayed:
            self._unclear = True
        elif answer.held:
            self._halt()
        elif follow(hold.claim.cursor, checkpoint, now):
            hold.carry = carry
            self._ready.append(hold)
        else:
            self._note_rest(checkpoint, carry)

    def _note_rest(self, checkpoint: Checkpoint, carry: Carry | None) -> None:
        last = checkpoint.effects[-1]
        if isinstance(last, Finish):
            self._result.complete(last, carry)
        elif isinstance(last, Retry):
            self._note_due(last.at)
        elif isinstance(last, Sleep):
            self._note_due(last.until)

    def _note_due(self, at: datetime) -> None:
        self._due = at if self._due is None else min(self._due, at)

    def _lose(self, hold: Hold, lost: Lost) -> None:
        logger.warning(
            "instance %s: a checkpoint at node %d was refused (%s)",
            self._run.instance_id,
            hold.claim.cursor.node,
            lost.why.value,
        )
        if lost.why in {LostReason.REPLACED, LostReason.SESSION_ENDED}:
            self._give_up(lost.why)
        else:
            self._unclear = True

    def _give_up(self, why: LostReason) -> None:
        self._result.lost = why
        for _, attempt in self._running.values():
            self._bodies.abandon(attempt)
        self._running.clear()

    def _halt(self) -> None:
        """Start nothing more: the instance is paused, cancelled or failed."""
        self._halted = True
        self._unclear = self._unclear or bool(self._ready)
        self._ready.clear()

    def _resync(self) -> None:
        """Give back what the store thinks is held here and is not."""
        held = [hold.claim.lease for hold in self._ready]
        held.extend(hold.claim.lease for hold, _ in self._running.values())
        self._backend.sessions.reconcile(self._session, held, self._run)
        self._unclear = False

    # Looking for more.

    def _claim(self) -> bool:
        self._claim_no += 1
        claims = self._backend.ownership.claim_owned(
            self._session, self._claim_no, self._run, self._bodies.size
        )
        self._ready.extend(Hold(claim) for claim in claims)
        return bool(claims)

    def _refill(self) -> bool:
        """With nothing left to run, look at the store; False if the drive is over."""
        self._due = None
        if not self._halted and self._claim():
            return True
        head = self._backend.instances.load(self._run.instance_id)
        self._result.lost = loss_of(head, self._run.run_id, self._session)
        if self._result.lost is not None or head.header.state is not InstanceState.RUNNING:
            return False
        self._halted = False
        due = next_due(head, self._now(), wait_for_delays=self._wait_for_delays)
        if due is None:
            return False
        wait = (due - self._now()).total_seconds()
        # What is due and could not be claimed may be held by this session, and not by this drive.
        self._unclear = self._unclear or wait <= 0
        self._bodies.pause(min(max(wait, _BREATH_SECONDS), POLL_SECONDS))
        return True
