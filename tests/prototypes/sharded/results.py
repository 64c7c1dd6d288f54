"""Reading payloads and records. All but ``payloads`` name a run without its instance."""

from __future__ import annotations

from collections.abc import Sequence

from sayiir_core.ids import Index, InstanceId, RunId
from sayiir_core.ports.results import StepPage
from sayiir_core.snapshot.reference import JoinRef, Leaf, Ref
from sayiir_core.snapshot.step import StepRow
from tests.prototypes.sharded.place import RunPlaces
from tests.prototypes.sharded.shard import Shards


class RoutedResults:
    """Read from the shard of the run."""

    def __init__(self, shards: Shards, places: RunPlaces) -> None:
        self._shards = shards
        self._places = places

    def payloads(
        self, instance_id: InstanceId, run_id: RunId, leaves: Sequence[Leaf]
    ) -> list[bytes | None]:
        """Return payloads."""
        shard = self._shards.of(instance_id)
        return shard.call(lambda backend: backend.results.payloads(instance_id, run_id, leaves))

    def branches(self, run_id: RunId, join: JoinRef) -> list[Ref | None]:
        """Return where the values of a fork's branches stand."""
        return self._places.ask(
            run_id,
            lambda backend: backend.results.branches(run_id, join),
            lambda found: any(ref is not None for ref in found),
        )

    def scope(self, run_id: RunId, scope: int, index: Index) -> Ref | None:
        """Return where the value of a scope stands."""
        return self._places.ask(
            run_id, lambda backend: backend.results.scope(run_id, scope, index), _is_there
        )

    def step(self, run_id: RunId, node: int, turns: Index) -> StepRow | None:
        """Return one record."""
        return self._places.ask(
            run_id, lambda backend: backend.results.step(run_id, node, turns), _is_there
        )

    def last_turn(self, run_id: RunId, node: int, prefix: Index) -> Index | None:
        """Return the highest turns of a node."""
        return self._places.ask(
            run_id, lambda backend: backend.results.last_turn(run_id, node, prefix), _is_there
        )

    def steps(self, run_id: RunId, *, after: str | None = None, limit: int = 100) -> StepPage:
        """Return one page of the history."""
        return self._places.ask(
            run_id,
            lambda backend: backend.results.steps(run_id, after=after, limit=limit),
            lambda page: bool(page.rows),
        )


def _is_there(found: object) -> bool:
    return found is not None
