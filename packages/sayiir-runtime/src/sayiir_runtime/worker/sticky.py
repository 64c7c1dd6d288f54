"""Whether a worker goes on with a cursor after a commit, without going back to the queue.

How this works: going on spares a claim, but must not let one flow hold a slot for ever, nor run
before others that the queue puts first. So it ends after some steps or some time, for a task of
tags that this worker does not serve, and when the last claim left better work in the queue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.control import claim_order
from sayiir_core.snapshot.effect import Arrive, Checkpoint, Move
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.node import END, ForkNode, Node
from sayiir_runtime.worker.held import Held
from sayiir_runtime.worker.serving import Serving

MOST_STEPS: Final = 32
MOST_SECONDS: Final = 1.0


class Stickiness:
    """The decision, and what it needs to know of the queue."""

    def __init__(
        self, serving: Serving, aging_interval: timedelta, clock: Callable[[], datetime]
    ) -> None:
        self._serving = serving
        self._clock = clock
        self._aging_interval = aging_interval
        self._left_behind: datetime | None = None

    def rank(self, claim: Claim) -> datetime:
        """Return the place of a claimed cursor in the order of the queue."""
        waits = claim.cursor.available_at is not None
        return claim_order(claim.cursor, self._aging_interval) if waits else self._clock()

    def note_claim(self, claims: Sequence[Claim], limit: int) -> None:
        """Note what a claim gave: one that was full has left what comes after its last."""
        is_full = 0 < limit == len(claims)
        self._left_behind = self.rank(claims[-1]) if is_full else None

    def keeps(self, held: Held, checkpoint: Checkpoint, moment: float) -> bool:
        """Tell whether to keep the cursor, or the join that its arrival completes."""
        last = checkpoint.effects[-1]
        if type(last) is Move:
            if last.node == END:
                return True
            group, priority = last.group, last.priority
        elif type(last) is Arrive:
            join = _join_of(held.program.definition, held.claim.cursor.scope)
            group, priority = join.group, join.priority
        else:
            # Where the cursor rests, or a mark of its start: nothing is kept that was not before.
            return True
        if held.steps >= MOST_STEPS or moment - held.since > MOST_SECONDS:
            return False
        if not self._serving.serves(held.claim.identity, group):
            return False
        return self._left_behind is None or self._rank(held, priority) <= self._left_behind

    def move(self, held: Held, checkpoint: Checkpoint) -> None:
        """Bring the rank of a kept cursor up to date; its own copy has moved already."""
        last = checkpoint.effects[-1]
        if type(last) is Move:
            held.steps += 1
            held.rank = self._rank(held, last.priority)
            held.priority = last.priority

    def _rank(self, held: Held, priority: int) -> datetime:
        return held.rank + (priority - held.priority) * self._aging_interval


def _join_of(definition: Definition, branch: int) -> Node:
    fork = definition.nodes[definition.scopes[branch].owner]
    assert isinstance(fork, ForkNode)
    return definition.nodes[fork.next]
