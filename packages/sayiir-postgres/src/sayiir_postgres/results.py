"""Read what runs have recorded."""

from __future__ import annotations

from collections.abc import Sequence

from sayiir_core.ids import Index, InstanceId, RunId, pack_index, unpack_index
from sayiir_core.ports.results import StepPage
from sayiir_core.snapshot.reference import JoinRef, Leaf, Ref, decode_ref
from sayiir_core.snapshot.step import StepRow
from sayiir_postgres.database import Database
from sayiir_postgres.payloads import read_payloads
from sayiir_postgres.rows import step_of


class PostgresResults:
    """The result port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def payloads(
        self, instance_id: InstanceId, run_id: RunId, leaves: Sequence[Leaf]
    ) -> list[bytes | None]:
        """Return the payloads of the run's input, succeeded steps or signals, in order."""
        wanted = [(instance_id, run_id, leaf) for leaf in leaves]
        if not wanted:
            return []
        return self._database.run(
            lambda connection: read_payloads(self._database, connection, wanted)
        )

    def branches(self, run_id: RunId, join: JoinRef) -> list[Ref | None]:
        """Return where the values of a fork's branches stand, in declaration order."""
        behind = join.first + join.count
        found = self._scopes(run_id, join.first, behind, join.turns)
        return [found.get(scope) for scope in range(join.first, behind)]

    def scope(self, run_id: RunId, scope: int, index: Index) -> Ref | None:
        """Return where the value of one finished scope stands."""
        return self._scopes(run_id, scope, scope + 1, index).get(scope)

    def _scopes(self, run_id: RunId, first: int, behind: int, index: Index) -> dict[int, Ref]:
        rows = self._database.call(
            "branches", run=run_id, idx=pack_index(index), first=first, behind=behind
        )
        return {scope: decode_ref(value) for scope, value in rows}

    def step(self, run_id: RunId, node: int, turns: Index) -> StepRow | None:
        """Return the succeeded record of a step, or else its last attempt."""
        rows = self._database.call("step", run=run_id, node=node, turns=pack_index(turns))
        return step_of(rows[0]) if rows else None

    def last_turn(self, run_id: RunId, node: int, prefix: Index) -> Index | None:
        """Return the highest turns, starting with ``prefix``, that a node has a record for."""
        behind = pack_index((*prefix[:-1], prefix[-1] + 1)) if prefix else None
        rows = self._database.call(
            "last_turn", run=run_id, node=node, prefix=pack_index(prefix), behind=behind
        )
        return unpack_index(rows[0][0]) if rows else None

    def steps(self, run_id: RunId, *, after: str | None = None, limit: int = 100) -> StepPage:
        """Return one page of the history."""
        rows = self._database.call(
            "step_page", run=run_id, after=page_position(after) or 0, limit=limit + 1
        )
        more = len(rows) > limit
        rows = rows[:limit]
        return StepPage([step_of(row) for row in rows], str(rows[-1][0]) if more else None)


def page_position(after: str | None) -> int | None:
    """Return the number that a page's ``next`` holds; ``ValueError`` for another text."""
    if after is None:
        return None
    if not (after.isascii() and after.isdigit()):
        raise ValueError(f"{after[:80]!r} is not the `next` of a page of this store")
    return int(after)
