"""Whether a worker goes on with a cursor after a commit, without going back to the queue.

How this works: going on spares a claim, but must not let one flow hold a slot for ever, nor run
before others that the queue puts first. So it ends after some steps or some time, for a task of
tags that this worker does not serve, and when the last claim left better work in the queue. The
branches of a fork are gone on with by the same rule, as many as there is room for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.control import claim_order
from sayiir_core.snapshot.effect import Arrive, Checkpoint, Child, Move, Spawn
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.node import END, ForkNode, Node
from sayiir_runtime.worker.held import Held
from sayiir_runtime.worker.serving import Serving

MOST_STEPS: Final = 32
MOST_SECONDS: Final = 1.0


class Stickiness:
    """The decision, and what it needs to know of the queue.

    ``expected`` is how many more cursors the answers that are awaited will make held at most.
    """

    def __init__(
        self, serving: Serving, aging_interval: timedelta, clock: Callable[[], datetime]
    ) -> None:
        self._serving = serving
        self._clock = clock
        self._aging_interval = aging_interval
        self._left_behind: datetime | None = None
        self.expected = 0

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
        return _is_fresh(held, moment) and self._wants(held, group, priority)

    def take_branches(self, held: Held, checkpoint: Checkpoint, moment: float, room: int) -> None:
        """Let a fork give its writer the branches for which there is room, the most urgent first.

        ``room`` is for what comes beside all that is held now.
        """
        spawn = checkpoint.effects[-1]
        assert type(spawn) is Spawn
        # Behind its commit the fork's own place is free.
        room = max(0, room - self.expected + 1)
        if not room or not _is_fresh(held, moment):
            return
        wanted = [it for it in spawn.children if self._wants(held, it.group, it.priority)]
        if len(wanted) > room:
            wanted.sort(key=_priority)
        checkpoint.take = frozenset([child.scope for child in wanted[:room]])
        self.expected += _gain(checkpoint)

    def leave_branches(self, held: Held) -> None:
        """Take no branches after all."""
        assert held.checkpoint is not None
        self.expected -= _gain(held.checkpoint)
        held.checkpoint.take = frozenset()

    def note_answers(self, batch: Sequence[Held]) -> None:
        """Expect no more what the answers to a batch could give."""
        if self.expected:
            self.expected -= sum(_gain(held.checkpoint) for held in batch if held.checkpoint)

    def _wants(self, held: Held, group: str, priority: int) -> bool:
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

    def rank_behind(self, giver: Held, claim: Claim) -> datetime:
        """Return where what a commit gave stands: where its giver stood, by its own priority."""
        return self._rank(giver, claim.cursor.priority)

    def _rank(self, held: Held, priority: int) -> datetime:
        steps = priority - held.priority
        return held.rank + steps * self._aging_interval if steps else held.rank


def _is_fresh(held: Held, moment: float) -> bool:
    return held.steps < MOST_STEPS and moment - held.since <= MOST_SECONDS


def _gain(checkpoint: Checkpoint) -> int:
    return len(checkpoint.take) - 1 if checkpoint.take else 0


def _priority(child: Child) -> int:
    return child.priority


def _join_of(definition: Definition, branch: int) -> Node:
    fork = definition.nodes[definition.scopes[branch].owner]
    assert isinstance(fork, ForkNode)
    return definition.nodes[fork.next]
