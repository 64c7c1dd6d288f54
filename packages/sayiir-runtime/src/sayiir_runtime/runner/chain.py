"""Calling bodies one after the other, for as long as one cursor is all there is to do.

How this works: a body that needs no more than a call is called in this thread, its checkpoint is
committed, and the next body gets what it gave, without a look at the store. What follows a
*plain* task is the same in every run and was worked out before. Between two of them nothing has
to be looked up, so a loop keeps in local variables what changes from step to step, and the
claim's cursor follows when it ends. Behind any other task, as in the turns of a loop, the engine
says what follows. The chain ends with the run, at a node that needs more than a call, at a
failure, or at an answer that says anything else than "go on". Whoever started it goes on from
there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from sayiir_core.authoring import reset_task_context, set_task_context
from sayiir_core.engine.advance import advance
from sayiir_core.engine.outcome import Succeeded
from sayiir_core.snapshot.answer import COMMITTED, Answer, Claim
from sayiir_core.snapshot.effect import Checkpoint, Finish, Move
from sayiir_core.snapshot.motion import follow, place
from sayiir_core.snapshot.reference import StepRef
from sayiir_runtime.codec import SCALARS
from sayiir_runtime.runner.attempt import INTERRUPTIONS, read_decision
from sayiir_runtime.runner.input import MISSING, Carry
from sayiir_runtime.runner.place import place_of
from sayiir_runtime.runner.program import Program, TaskBody

Commit = Callable[[Sequence[Checkpoint]], list[Answer]]
Clock = Callable[[], datetime]


class Stop(Protocol):
    """Whoever may end a chain before its next body."""

    @property
    def stopped(self) -> bool:
        """Tell whether no further body shall start."""
        ...


class Chain:
    """Bodies that follow each other from a claimed cursor on, whose input is carried.

    After ``run`` one of these holds: ``failure`` is what the body at the cursor raised; ``answer``
    is what the store said to ``checkpoint``, which ``carry`` is the value of; or the cursor stands
    where more is needed than a call. The cursor is where it was before ``checkpoint``. ``is_set``
    tells the bodies, through their context, that nobody waits for them any more.
    """

    __slots__ = (
        "answer",
        "began_at",
        "carry",
        "checkpoint",
        "claim",
        "ended_at",
        "failure",
        "is_set",
        "position",
        "program",
    )

    def __init__(self, program: Program, claim: Claim, carry: Carry) -> None:
        self.program = program
        self.claim = claim
        self.carry = carry
        self.position = claim.cursor.seq
        self.is_set = False
        self.failure: BaseException | None = None
        self.answer: Answer | None = None
        self.checkpoint: Checkpoint
        self.began_at: datetime
        self.ended_at: datetime

    @property
    def end(self) -> Finish | None:
        """Return the effect that has ended the run, None if it goes on."""
        last = self.checkpoint.effects[-1] if self.answer is COMMITTED else None
        return last if isinstance(last, Finish) else None

    @property
    def trace_parent(self) -> str | None:
        """Return the trace context of the run."""
        return self.claim.trace_parent

    def outcome(self) -> Succeeded:
        """Return what happened at the cursor, if ``checkpoint`` was made of it."""
        return Succeeded(self.carry.payload, None, None, self.began_at, self.ended_at)

    def run(self, commit: Commit, clock: Clock, stop: Stop) -> None:
        """Call and commit, body after body; raises what is no error of a body."""
        cursor = self.claim.cursor
        self.ended_at = clock()
        # One for all bodies: it would cost as much again to take the context back after each.
        token = set_task_context(None)
        try:
            while self.failure is None and self.answer is None and not stop.stopped:
                body = self.program.inline(cursor.node)
                if body is None or self.carry.leaf != cursor.input:
                    break
                if body.onward is None:
                    self._call(body, commit, clock)
                else:
                    self._call_plain(body, commit, clock, stop)
        finally:
            reset_task_context(token)

    def _call(self, body: TaskBody, commit: Commit, clock: Clock) -> None:
        claim, values, began = self.claim, body.values, self.ended_at
        cursor = claim.cursor
        self.position = cursor.seq
        count = cursor.attempt - cursor.fresh_from + 1
        facts = self.program, body.metadata, body.node, claim.lease, cursor.turns, count, self
        set_task_context(facts)
        verdict = key = None
        try:
            result = (
                body.function(self.carry.fresh(values, claim.lease))
                if body.takes_value
                else body.function()
            )
            if body.decides:
                result, verdict, key = read_decision(self.program, body.node, result)
            leaf = StepRef(cursor.node, cursor.turns)
            where = place_of(claim.lease, leaf) if values.binds else None
            output = values.encode_output(result, where)
        except INTERRUPTIONS:
            raise
        except BaseException as error:  # noqa: BLE001 - the boundary around user code
            self.failure, self.began_at = error, began
            return
        now = clock()
        outcome = Succeeded(output, verdict, key, began, now)
        checkpoint = advance(self.program.definition, claim, outcome, now=now)
        answer = commit((checkpoint,))[0]
        self.carry = Carry(leaf, output, result if values.plain_output else MISSING)
        self.began_at, self.ended_at = began, now
        if answer is COMMITTED and isinstance(checkpoint.effects[-1], Move):
            follow(cursor, checkpoint, now)
        else:
            self.answer, self.checkpoint = answer, checkpoint

    def _call_plain(self, first: TaskBody, commit: Commit, clock: Clock, stop: Stop) -> None:
        program, claim, carry = self.program, self.claim, self.carry
        lease, cursor = claim.lease, claim.cursor
        leaf, value, payload = carry.leaf, carry.scalar, carry.payload
        seq, attempt = cursor.seq, cursor.attempt + 1
        count = attempt - cursor.fresh_from
        last: Move | None = None
        now = began = self.ended_at
        body: TaskBody | None = first
        while body is not None and (onward := body.onward) is not None and not stop.stopped:
            began, values = now, body.values
            self.position = seq
            set_task_context((program, body.metadata, body.node, lease, (), count, self))
            try:
                if not body.takes_value:
                    result = body.function()
                elif value is MISSING or not values.plain_input:
                    result = body.function(
                        values.decode_input(payload, place_of(lease, leaf))
                        if values.binds
                        else values.decode_input(payload)
                    )
                else:
                    result = body.function(value)
                output = (
                    values.encode_output(result, place_of(lease, onward.value))
                    if values.binds
                    else values.encode_output(result)
                )
            except INTERRUPTIONS:
                raise
            except BaseException as error:  # noqa: BLE001 - the boundary around user code
                self.failure = error
                break
            now = clock()
            checkpoint = onward.checkpoint(lease, seq, attempt, output, began, now)
            answer = commit((checkpoint,))[0]
            leaf, payload, then = onward.value, output, onward.then
            value = result if values.plain_output and type(result) in SCALARS else MISSING
            if answer is not COMMITTED or not isinstance(then, Move):
                self.answer, self.checkpoint = answer, checkpoint
                break
            seq += 1
            attempt = count = 1
            last = then
            body = program.inline(then.node)
        cursor.seq = seq
        if last is not None:
            place(cursor, last, now)
        self.carry, self.began_at, self.ended_at = Carry(leaf, payload, value), began, now
