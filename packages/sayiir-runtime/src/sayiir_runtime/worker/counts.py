"""What a worker has done since it started."""

from __future__ import annotations

from dataclasses import dataclass

from sayiir_core.engine.outcome import Failed, Succeeded, TimedOut
from sayiir_core.snapshot.answer import Committed
from sayiir_core.snapshot.effect import Retry
from sayiir_runtime.worker.held import Held


@dataclass(slots=True)
class Counts:
    """Counters that only grow.

    ``claimed`` cursors; bodies ``started``, ``succeeded``, ``failed`` and ``timed_out`` (the last
    three as recorded, except that ``timed_out`` counts when it happens), ``retried`` of the
    failed; ``refused`` writes whose guard held no longer; ``put_back`` cursors that waited here
    too long; ``commits`` of batches and ``claims`` calls; ``outages`` of the store.
    """

    claimed: int = 0
    started: int = 0
    succeeded: int = 0
    failed: int = 0
    timed_out: int = 0
    retried: int = 0
    refused: int = 0
    put_back: int = 0
    commits: int = 0
    claims: int = 0
    outages: int = 0

    def note(self, held: Held, answer: Committed) -> None:
        """Count a stored checkpoint."""
        if answer.replayed:
            return
        outcome = held.outcome
        if type(outcome) is Succeeded:
            self.succeeded += 1
        elif isinstance(outcome, Failed | TimedOut):
            self.failed += 1
            assert held.checkpoint is not None
            self.retried += isinstance(held.checkpoint.effects[-1], Retry)
