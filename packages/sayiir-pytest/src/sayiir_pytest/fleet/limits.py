"""The laws of what has a limit: bodies that run too long, rows that the store does not take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from sayiir_core.ids import Index, RunId
from sayiir_core.snapshot.effect import Checkpoint, Record
from sayiir_core.snapshot.step import StepStatus
from sayiir_runtime.runner.attempt import Attempt

_MOST_REFUSALS = 12
_MOST_COMPANIES = 4

AttemptKey = tuple[RunId, int, Index, int, int]


class LimitWatch:
    """What was seen of timeouts and of rows that were not taken.

    ``late`` counts timeouts by run and path, ``refused`` refusals by run and node.
    """

    def __init__(self, violate: Callable[[str], AssertionError]) -> None:
        self._violate = violate
        self.late: Counter[tuple[RunId, str]] = Counter()
        self.refused: Counter[tuple[RunId, int]] = Counter()
        self.broken = 0
        self._given_up: set[AttemptKey] = set()
        self._refusals: dict[tuple[RunId, int, Index], set[int]] = {}
        self._companies: Counter[tuple[RunId, int, Index, int, int]] = Counter()

    def timed_out(self, attempt: Attempt) -> None:
        """Note that nobody waits for a body any more."""
        lease, cursor = attempt.claim.lease, attempt.claim.cursor
        self.late[lease.run_id, attempt.body.node.path] += 1
        self._given_up.add(
            (lease.run_id, cursor.node, cursor.turns, cursor.attempt + 1, lease.fence)
        )

    def recorded(self, checkpoint: Checkpoint) -> None:
        """Check that no result is stored that came after its timeout."""
        lease = checkpoint.lease
        for effect in checkpoint.effects:
            if isinstance(effect, Record) and effect.step.status is StepStatus.SUCCEEDED:
                step = effect.step
                key = (lease.run_id, step.node, step.turns, step.attempt, lease.fence)
                if key in self._given_up:
                    raise self._violate(f"a result came after its timeout, and was stored: {key}")

    def row_refused(self, checkpoint: Checkpoint, node: int, turns: Index) -> None:
        """Check that what the store refuses for good is not tried for ever."""
        lease = checkpoint.lease
        self.refused[lease.run_id, node] += 1
        fences = self._refusals.setdefault((lease.run_id, node, turns), set())
        fences.add(lease.fence)
        if len(fences) > _MOST_REFUSALS:
            raise self._violate(
                f"a refused row is tried for ever: node {node} of {lease.instance_id}"
            )

    def row_broke(self, checkpoint: Checkpoint, size: int) -> None:
        """Check that a row that the store cannot take now does not take others with it."""
        self.broken += 1
        if size == 1:
            return
        lease = checkpoint.lease
        key = (lease.run_id, lease.scope, lease.index, lease.fence, checkpoint.seq)
        self._companies[key] += 1
        if self._companies[key] > _MOST_COMPANIES:
            raise self._violate(
                f"a bad row is sent with its neighbours again and again: {lease}, one of {size}"
            )
