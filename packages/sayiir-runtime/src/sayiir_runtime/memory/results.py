"""Read payloads and records from memory."""

from __future__ import annotations

from collections.abc import Sequence

from sayiir_core.ids import Index, InstanceId, RunId
from sayiir_core.ports.results import StepPage
from sayiir_core.snapshot.reference import JoinRef, Leaf, Ref
from sayiir_core.snapshot.step import StepRow
from sayiir_runtime.memory.step import unfold
from sayiir_runtime.memory.store import Store


class MemoryResults:
    """The result port of the memory backend."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    def payloads(
        self, instance_id: InstanceId, run_id: RunId, leaves: Sequence[Leaf]
    ) -> list[bytes | None]:
        """Return the payloads that leaves name, in order."""
        store = self._store
        with store.lock:
            run = store.run_of.get(run_id)
            if run is None or run.head.header.instance_id != instance_id:
                return [None] * len(leaves)
            return [store.payload(run, leaf) for leaf in leaves]

    def branches(self, run_id: RunId, join: JoinRef) -> list[Ref | None]:
        """Return where the values of a fork's branches stand, in declaration order."""
        with self._store.lock:
            scopes = range(join.first, join.first + join.count)
            return [self._scope(run_id, scope, join.turns) for scope in scopes]

    def scope(self, run_id: RunId, scope: int, index: Index) -> Ref | None:
        """Return where the value of one finished scope stands."""
        with self._store.lock:
            return self._scope(run_id, scope, index)

    def _scope(self, run_id: RunId, scope: int, index: Index) -> Ref | None:
        run = self._store.run_of.get(run_id)
        row = None if run is None else run.scopes.get((scope, index))
        return None if row is None else row.value

    def step(self, run_id: RunId, node: int, turns: Index) -> StepRow | None:
        """Return the succeeded record of a step, or else its last attempt."""
        with self._store.lock:
            run = self._store.run_of.get(run_id)
            row = None if run is None else run.latest.get((node, turns))
            return None if row is None else unfold(row)

    def last_turn(self, run_id: RunId, node: int, prefix: Index) -> Index | None:
        """Return the highest recorded turns of a node that start with a prefix."""
        with self._store.lock:
            run = self._store.run_of.get(run_id)
            return None if run is None else run.last_turn(node, prefix)

    def steps(self, run_id: RunId, *, after: str | None = None, limit: int = 100) -> StepPage:
        """Return one page of the history."""
        start = 0 if after is None else _position(after)
        with self._store.lock:
            run = self._store.run_of.get(run_id)
            rows = [] if run is None else run.steps
            page = [unfold(row) for row in rows[start : start + limit]]
            end = start + len(page)
            return StepPage(page, str(end) if end < len(rows) else None)


def _position(after: str) -> int:
    if not (after.isascii() and after.isdigit()):
        raise ValueError(f"{after[:80]!r} is not the `next` of a page of this store")
    return int(after)
