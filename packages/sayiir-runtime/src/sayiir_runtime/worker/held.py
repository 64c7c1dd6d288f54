"""A cursor in a worker's hands, from its claim until it is parked, finished or given back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Any, Final

from sayiir_core.engine.advance import advance
from sayiir_core.engine.outcome import Failed, Outcome, Succeeded
from sayiir_core.errors import RefusedRowError
from sayiir_core.ids import RunId
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.effect import Checkpoint
from sayiir_core.snapshot.head import CursorKey
from sayiir_core.snapshot.reference import StepRef
from sayiir_runtime.runner.attempt import Attempt
from sayiir_runtime.runner.describe import describe
from sayiir_runtime.runner.input import Carry, JoinCarry
from sayiir_runtime.runner.program import Program, TaskBody

SUSPECT_AFTER: Final = 2
"""After how many deaths only one such body runs at a time, so that it alone is charged."""

Place = tuple[RunId, CursorKey]


class Phase(Enum):
    """Where a held cursor is in the worker; gone if it is no longer this worker's."""

    READY = "ready"
    RUNNING = "running"
    ENDED = "ended"
    COMMITTING = "committing"
    GONE = "gone"


class Held:
    """One held cursor.

    ``rank`` is its place in the order of the queue when it was claimed, moved by the priorities
    of the tasks since; ``priority`` is the one that it stands for. ``since`` and ``steps`` tell how
    long, on the monotonic clock, and for how many commits its flow was kept without going back to
    the queue: a branch or a join that a commit gave has them of the cursor that was committed. ``waiting_since`` is when it became ready here. ``is_unmarked``: before its body starts,
    that must be stored. ``number`` keeps its place among equals, also while it is marked.
    """

    __slots__ = (
        "attempt",
        "body",
        "carry",
        "checkpoint",
        "claim",
        "is_unmarked",
        "number",
        "outcome",
        "phase",
        "place",
        "priority",
        "program",
        "rank",
        "since",
        "steps",
        "waiting_since",
    )

    def __init__(self, claim: Claim, program: Program, rank: datetime, since: float) -> None:
        self.claim = claim
        self.program = program
        self.place: Place = (claim.lease.run_id, claim.lease.key)
        self.rank = rank
        self.priority = claim.cursor.priority
        self.since = self.waiting_since = since
        self.steps = self.number = 0
        self.is_unmarked = False
        self.phase = Phase.READY
        self.carry: Carry | JoinCarry | None = None
        self.body: TaskBody | None = None
        self.attempt: Attempt | None = None
        self.outcome: Outcome | None = None
        self.checkpoint: Checkpoint | None = None

    @property
    def is_suspect(self) -> bool:
        """Tell whether its body may have killed processes, and is watched alone."""
        return len(self.claim.cursor.deaths) >= SUSPECT_AFTER

    @property
    def path(self) -> str:
        """Return the path of the node at which it stands."""
        return self.program.definition.nodes[self.claim.cursor.node].path

    def come_from(self, giver: Held) -> None:
        """Take over what the cursor knows whose commit gave this one: its age, and its value."""
        self.since, self.steps = giver.since, giver.steps + 1
        self.carry, self.claim.inputs = giver.carry, giver.claim.inputs

    def refuse(self, why: str) -> bool:
        """Turn a success that cannot be stored into a failure; False if it was none."""
        outcome = self.outcome
        if type(outcome) is not Succeeded:
            return False
        self.outcome = Failed(
            error=describe(self.path, RefusedRowError(why)),
            retryable=False,
            started_at=outcome.started_at,
            finished_at=outcome.finished_at,
        )
        return True

    def begin(self, value: Any, clock: Callable[[], datetime]) -> Attempt:
        """Prepare the attempt of its body."""
        assert self.body is not None
        self.attempt = Attempt(self.program, self.body, self.claim, value, clock)
        return self.attempt

    def advance(self, now: datetime) -> Checkpoint:
        """Return what the engine makes of the outcome; see ``sayiir_core.engine.advance``."""
        outcome, claim = self.outcome, self.claim
        assert outcome is not None
        onward = None if self.body is None else self.body.onward
        if onward is None or type(outcome) is not Succeeded:
            return advance(self.program.definition, claim, outcome, now=now)
        return onward.checkpoint(
            claim.lease,
            claim.cursor.seq,
            claim.cursor.attempt + 1,
            outcome.output,
            outcome.started_at,
            outcome.finished_at,
        )

    def carried(self) -> Carry | JoinCarry | None:
        """Return the value that its next step most likely wants, so that it needs no read."""
        outcome, attempt, cursor = self.outcome, self.attempt, self.claim.cursor
        if type(outcome) is not Succeeded or attempt is None:
            return self.carry
        onward = attempt.body.onward
        value = StepRef(cursor.node, cursor.turns) if onward is None else onward.value
        return Carry(value, outcome.output, attempt.result)
