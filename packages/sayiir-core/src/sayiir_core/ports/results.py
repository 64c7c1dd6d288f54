"""The port through which payloads and records are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sayiir_core.ids import Index, InstanceId, RunId
from sayiir_core.snapshot.reference import JoinRef, Leaf, Ref
from sayiir_core.snapshot.step import StepRow


@dataclass(frozen=True, slots=True)
class StepPage:
    """Records in the order in which they were written; ``next`` continues, None at the end."""

    rows: list[StepRow]
    next: str | None


class ResultStore(Protocol):
    """Read what runs have recorded; absent is None, never an error."""

    def payloads(
        self, instance_id: InstanceId, run_id: RunId, leaves: Sequence[Leaf]
    ) -> list[bytes | None]:
        """Return the payloads of the run's input, succeeded steps or consumed signals, in order."""
        ...

    def branches(self, run_id: RunId, join: JoinRef) -> list[Ref | None]:
        """Return where the values of a fork's branches stand, in declaration order."""
        ...

    def scope(self, run_id: RunId, scope: int, index: Index) -> Ref | None:
        """Return where the value of one finished scope stands."""
        ...

    def step(self, run_id: RunId, node: int, turns: Index) -> StepRow | None:
        """Return the succeeded record of a step, or else its last attempt."""
        ...

    def last_turn(self, run_id: RunId, node: int, prefix: Index) -> Index | None:
        """Return the highest turns, starting with ``prefix``, that a node has a record for."""
        ...

    def steps(self, run_id: RunId, *, after: str | None = None, limit: int = 100) -> StepPage:
        """Return one page of the history."""
        ...
