"""What the branches gave that ended in this worker, for the join that takes it.

How this works: a branch that has arrived is never run again in its run, so what it gave can be kept
without asking. A join of which every branch ended here then needs no read. What nobody takes, because
the join went to another worker, is forgotten when there is too much, the oldest first.
"""

from __future__ import annotations

from typing import Final

from sayiir_core.ids import Index, RunId
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.effect import Arrive, Checkpoint
from sayiir_core.snapshot.reference import JoinRef
from sayiir_runtime.runner.input import Carry, JoinCarry
from sayiir_runtime.runner.program import Program

MOST_ARRIVALS: Final = 10_000
MOST_BYTES: Final = 4 * 1024 * 1024


class Arrivals:
    """The values of arrived branches, by run, scope and index."""

    def __init__(self) -> None:
        self._given: dict[tuple[RunId, int, Index], Carry] = {}
        self._bytes = 0

    def note(self, checkpoint: Checkpoint, carry: Carry | JoinCarry | None) -> None:
        """Keep what a stored arrival gave, if that is at hand."""
        last = checkpoint.effects[-1]
        if type(last) is not Arrive or type(carry) is not Carry or carry.leaf != last.value:
            return
        lease = checkpoint.lease
        self._take((lease.run_id, lease.scope, lease.index))
        self._given[lease.run_id, lease.scope, lease.index] = carry
        self._bytes += len(carry.payload)
        while len(self._given) > MOST_ARRIVALS or self._bytes > MOST_BYTES:
            self._take(next(iter(self._given)))

    def join(self, program: Program, claim: Claim) -> JoinCarry | None:
        """Return, once, the input of a claimed join; None if some of it must be read."""
        ref, run_id = claim.cursor.input, claim.lease.run_id
        if type(ref) is not JoinRef or not self._given:
            return None
        scopes = range(ref.first, ref.first + ref.count)
        found = [self._take((run_id, scope, ref.turns)) for scope in scopes]
        parts = [carry for carry in found if carry is not None]
        if len(parts) < ref.count:
            return None
        names = [program.definition.scopes[scope].name for scope in scopes]
        return JoinCarry(ref, dict(zip(names, parts, strict=True)), program.codec)

    def _take(self, key: tuple[RunId, int, Index]) -> Carry | None:
        carry = self._given.pop(key, None)
        if carry is not None:
            self._bytes -= len(carry.payload)
        return carry
