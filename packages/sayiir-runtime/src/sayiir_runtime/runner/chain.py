"""Calling plain bodies one after the other, for as long as one cursor is all there is to do.

How this works: between two plain tasks nothing has to be looked up. A body knows what calling it
takes and what follows it in every run, so the loop keeps in local variables what changes from
step to step, and lets the claim's cursor follow only when it ends: at the end of the run, at a
task that needs more than a call, at a failure, or at an answer that says anything else than
"go on". Whoever started it goes on from there. Each step is committed before the next begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from sayiir_core.authoring import TaskContext, reset_task_context, set_task_context
from sayiir_core.engine.outcome import Succeeded
from sayiir_core.snapshot.answer import COMMITTED, Answer, Claim
from sayiir_core.snapshot.effect import Checkpoint, Finish, Move
from sayiir_core.snapshot.motion import place
from sayiir_runtime.codec import SCALARS
from sayiir_runtime.runner.attempt import INTERRUPTIONS
from sayiir_runtime.runner.input import MISSING, Carry
from sayiir_runtime.runner.program import Program

Commit = Callable[[Sequence[Checkpoint]], list[Answer]]


class Stop(Protocol):
    """Whoever may end a chain before its next body."""

    @property
    def stopped(self) -> bool:
        """Tell whether no further body shall start."""
        ...


class Chain:
    """Bodies that follow each other from a claimed cursor on, whose input is at hand.

    After ``run`` one of these holds: ``finished``, and ``carry`` is the output of the run;
    ``failure`` is what the body at the cursor raised; ``answer`` is what the store said to
    ``checkpoint``, from which ``carry`` is the value; or the cursor stands at a node that needs
    more than a call. The cursor is where it was before ``checkpoint``. ``is_set`` tells the body,
    through its context, that nobody waits for it any more.
    """

    __slots__ = (
        "answer",
        "began_at",
        "carry",
        "checkpoint",
        "claim",
        "ended_at",
        "failure",
        "finished",
        "is_set",
        "position",
        "program",
    )

    def __init__(self, program: Program, claim: Claim, carry: Carry) -> None:
        self.program = program
        self.claim = claim
        self.carry = carry
        self.position = claim.cursor.seq
        self.is_set = self.finished = False
        self.failure: BaseException | None = None
        self.answer: Answer | None = None
        self.checkpoint: Checkpoint
        self.began_at: datetime
        self.ended_at: datetime

    def run(self, commit: Commit, clock: Callable[[], datetime], stop: Stop) -> None:
        """Call and commit, body after body; raises what is no error of a body."""
        # One for all bodies: it would cost as much again to take the context back after each.
        token = set_task_context(None)
        try:
            self._run(commit, clock, stop)
        finally:
            reset_task_context(token)

    def _run(self, commit: Commit, clock: Callable[[], datetime], stop: Stop) -> None:
        program, claim, carry = self.program, self.claim, self.carry
        lease, cursor = claim.lease, claim.cursor
        leaf, value, payload = carry.leaf, carry.scalar, carry.payload
        seq, attempt = cursor.seq, cursor.attempt + 1
        count = attempt - cursor.fresh_from
        last: Move | None = None
        now = began = clock()
        body = program.plain(cursor.node)
        while body is not None and not stop.stopped:
            began, values, onward = now, body.values, body.onward
            assert onward is not None
            self.position = seq
            set_task_context(TaskContext(program, body.metadata, body.node, lease, (), count, self))
            try:
                if not body.takes_value:
                    result = body.function()
                elif value is MISSING or not values.plain_input:
                    result = body.function(values.decode_input(payload))
                else:
                    result = body.function(value)
                output = values.encode_output(result)
            except INTERRUPTIONS:
                raise
            except BaseException as error:  # noqa: BLE001 - the boundary around user code
                self.failure = error
                break
            now = clock()
            checkpoint = onward.checkpoint(lease, seq, attempt, output, began, now)
            answer = commit((checkpoint,))[0]
            leaf, payload = onward.value, output
            value = result if values.plain_output and type(result) in SCALARS else MISSING
            if answer is not COMMITTED:
                self.answer, self.checkpoint = answer, checkpoint
                break
            seq += 1
            attempt = count = 1
            then = onward.then
            if isinstance(then, Finish):
                self.finished = True
                break
            last = then
            body = program.plain(then.node)
        self._stop_at(last, seq, Carry(leaf, payload, value), began, now)

    def _stop_at(
        self, last: Move | None, seq: int, carry: Carry, began: datetime, ended: datetime
    ) -> None:
        cursor = self.claim.cursor
        cursor.seq = seq
        if last is not None:
            place(cursor, last, ended)
        self.carry, self.began_at, self.ended_at = carry, began, ended

    def outcome(self) -> Succeeded:
        """Return what happened at the cursor if ``checkpoint`` was made of it."""
        return Succeeded(self.carry.payload, None, None, self.began_at, self.ended_at)
