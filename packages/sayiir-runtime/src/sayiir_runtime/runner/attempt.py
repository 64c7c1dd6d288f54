"""One call of one body, from its input to an outcome.

How this works: an attempt is prepared, called and concluded, in whatever thread or loop suits
it. Every exception of the body, of decoding its input and of encoding its output becomes
an outcome; what is no error (an interrupt, an exit) is kept for the driver, which raises it in
its own thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Any, Final

from sayiir_core.authoring import ContextFacts, LoopResult, reset_task_context, set_task_context
from sayiir_core.engine.outcome import Failed, Outcome, Succeeded, TimedOut
from sayiir_core.errors import (
    DeserializationError,
    EncodeError,
    InvalidValueError,
    LoopResultError,
    TaskTimeoutError,
)
from sayiir_core.ports.codec import Place
from sayiir_core.ports.executor import Execution
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.reference import StepRef
from sayiir_core.snapshot.step import ErrorRecord, Verdict
from sayiir_core.workflow.node import TaskNode
from sayiir_runtime.runner.describe import describe
from sayiir_runtime.runner.input import MISSING
from sayiir_runtime.runner.place import place_of
from sayiir_runtime.runner.program import Program, TaskBody

NEVER_RETRIED: Final = (InvalidValueError, EncodeError, DeserializationError, LoopResultError)
"""What would fail again: the same input, the same output, the same code."""

INTERRUPTIONS: Final = (KeyboardInterrupt, SystemExit)
"""What is no error of a body. Anything else is, also a panic that is no ``Exception``."""


class Attempt:
    """One call of one body; ``outcome`` is set when it has ended.

    ``is_set`` tells the body, through its context, that nobody waits for it any more.
    """

    # Set when an executor runs the body, and only then.
    execution: Execution

    __slots__ = (
        "body",
        "claim",
        "clock",
        "error",
        "execution",
        "finished_at",
        "is_set",
        "outcome",
        "program",
        "result",
        "started_at",
        "value",
    )

    def __init__(
        self,
        program: Program,
        body: TaskBody,
        claim: Claim,
        value: Any,
        clock: Callable[[], datetime],
    ) -> None:
        self.program = program
        self.claim = claim
        self.body = body
        self.value = value
        self.clock = clock
        self.is_set = False
        self.started_at: datetime
        self.finished_at: datetime
        self.outcome: Outcome | None = None
        self.result: Any = MISSING
        self.error: BaseException | None = None

    @property
    def position(self) -> int:
        """Return a number that no other attempt at the same cursor has."""
        return self.claim.cursor.seq

    @property
    def trace_parent(self) -> str | None:
        """Return the trace context of its run."""
        return self.claim.trace_parent

    def _facts(self) -> ContextFacts:
        """Return what the context of the body is made of.

        It knows the attempt, so the attempt does not keep it: a cycle of the two would keep the
        values of each step until the garbage collector comes.
        """
        body, claim = self.body, self.claim
        cursor = claim.cursor
        attempt = cursor.attempt - cursor.fresh_from + 1
        return (self.program, body.metadata, body.node, claim.lease, cursor.turns, attempt, self)

    def _place(self) -> Place | None:
        if not self.body.values.binds:
            return None
        cursor = self.claim.cursor
        return place_of(self.claim.lease, StepRef(cursor.node, cursor.turns))

    def run(self, now: datetime | None = None) -> Outcome | None:
        """Call a synchronous body here; None if it raised what is no error (see ``error``).

        ``now`` spares a look at the clock.
        """
        self.started_at = now or self.clock()
        body = self.body
        token = set_task_context(self._facts())
        try:
            value = body.function(self.value) if body.takes_value else body.function()
        except INTERRUPTIONS as interruption:
            self.error = interruption
            return None
        except BaseException as error:  # noqa: BLE001 - the boundary around user code
            if self.is_set and self.outcome is not None:
                # Given up, and stopped by that: it keeps the outcome that it was given.
                return None
            return self.fail(error)
        finally:
            reset_task_context(token)
        return self.succeed(value)

    async def run_async(self) -> Outcome | None:
        """Await an asynchronous body; like ``run`` otherwise."""
        self.started_at = self.clock()
        set_task_context(self._facts())
        try:
            call = self.body.function
            value = await (call(self.value) if self.body.takes_value else call())
        except INTERRUPTIONS as interruption:
            self.error = interruption
            return None
        except asyncio.CancelledError as cancelled:
            task = asyncio.current_task()
            if not self.is_set and (task is None or not task.cancelling()):
                return self.fail(cancelled)
            # Somebody cancelled the body from outside, as a loop does that shuts down. What was
            # given up keeps the outcome that it was given.
            if self.outcome is None:
                self.error = cancelled
            return None
        except BaseException as error:  # noqa: BLE001 - the boundary around user code
            return self.fail(error)
        return self.succeed(value)

    def succeed(self, value: Any) -> Outcome:
        """Conclude a body that returned: encode its value, read its verdict or key."""
        verdict: Verdict | None = None
        key: str | None = None
        try:
            if self.body.decides:
                value, verdict, key = read_decision(self.program, self.body.node, value)
            payload = self.body.values.encode_output(value, self._place())
        except INTERRUPTIONS:
            raise
        except BaseException as error:  # noqa: BLE001 - encoding calls user code, too
            return self.fail(error)
        if self.body.values.plain_output:
            self.result = value
        self.finished_at = self.clock()
        self.outcome = Succeeded(payload, verdict, key, self.started_at, self.finished_at)
        return self.outcome

    def fail(self, error: BaseException) -> Outcome:
        """Conclude a body that raised."""
        self.error = error
        policy = self.body.node.policy.retry
        retryable = not isinstance(error, NEVER_RETRIED) and (
            policy is None or policy.retries(error)
        )
        self.outcome = Failed(
            error=describe(self.body.node.path, error),
            retryable=retryable,
            started_at=getattr(self, "started_at", None),
            finished_at=self.clock(),
        )
        return self.outcome

    def give_up(self) -> None:
        """Tell the body that nobody waits for it, and stop it if an executor runs it."""
        self.is_set = True
        if (execution := getattr(self, "execution", None)) is not None:
            execution.give_up()

    def time_out(self) -> Outcome:
        """Conclude a body that ran too long; whatever it does from now on is discarded."""
        self.is_set = True
        node = self.body.node
        error = TaskTimeoutError(
            f"task {node.path!r} ran longer than its timeout of {self.body.timeout_seconds:g} s",
            task_id=node.path,
            instance_id=self.claim.lease.instance_id,
        )
        self.error = error
        self.outcome = TimedOut(
            error=ErrorRecord(path=node.path, type="TaskTimeoutError", message=str(error)),
            started_at=getattr(self, "started_at", None),
            finished_at=self.clock(),
        )
        return self.outcome


def read_decision(
    program: Program, node: TaskNode, value: Any
) -> tuple[Any, Verdict | None, str | None]:
    """Return what a body that decides gave, with its verdict on a loop or its key of a route.

    Raises ``LoopResultError`` or ``DeserializationError`` if it decided nothing.
    """
    if node.loop is None:
        key = _read_key(node, value)
        return key, None, key
    result = LoopResult.from_value(value)
    if result is None:
        path = program.definition.nodes[node.loop].path
        raise LoopResultError(
            f"the last task of loop {path!r}, {node.id!r}, returned {type(value).__name__}; "
            f"return LoopResult.again(value) or LoopResult.done(value)",
            task_id=node.path,
        )
    return result.value, (Verdict.DONE if result.is_done else Verdict.AGAIN), None


def _read_key(node: TaskNode, value: Any) -> str:
    key = value.value if isinstance(value, Enum) else value
    if type(key) is not str:
        raise DeserializationError(
            f"key function {node.path!r} returned {type(value).__name__}; return one of the "
            f"strings that the route declares in keys="
        )
    return key
