"""Read payloads and records."""

from __future__ import annotations

from collections.abc import Sequence

from sayiir_core.ids import Index, InstanceId, RunId
from sayiir_core.keyvalue import key
from sayiir_core.keyvalue.record import Records
from sayiir_core.keyvalue.row import Row, unpack_step
from sayiir_core.keyvalue.scan import scan_all
from sayiir_core.keyvalue.store import KeyValueStore
from sayiir_core.keyvalue.sweep import counts
from sayiir_core.ports.results import StepPage
from sayiir_core.snapshot.reference import JoinRef, Leaf, Ref
from sayiir_core.snapshot.step import StepRow


class KeyValueResults:
    """The result port over documents."""

    __slots__ = ("_records", "_store")

    def __init__(self, store: KeyValueStore, records: Records) -> None:
        self._store = store
        self._records = records

    def payloads(
        self, instance_id: InstanceId, run_id: RunId, leaves: Sequence[Leaf]
    ) -> list[bytes | None]:
        """Return the payloads that leaves name, in order."""
        document = self._records.document_of(run_id)
        if document is None:
            return [None] * len(leaves)
        return [self._records.payload(document, instance_id, run_id, leaf) for leaf in leaves]

    def branches(self, run_id: RunId, join: JoinRef) -> list[Ref | None]:
        """Return where the values of a fork's branches stand, in declaration order."""
        scopes = range(join.first, join.first + join.count)
        return self._scopes(run_id, [(scope, join.turns) for scope in scopes])

    def scope(self, run_id: RunId, scope: int, index: Index) -> Ref | None:
        """Return where the value of one finished scope stands."""
        return self._scopes(run_id, [(scope, index)])[0]

    def _scopes(self, run_id: RunId, places: Sequence[tuple[int, Index]]) -> list[Ref | None]:
        document = self._records.document_of(run_id)
        if document is None:
            return [None] * len(places)
        rows = [self._records.scope(document, run_id, scope, index) for scope, index in places]
        return [None if row is None else row.value for row in rows]

    def step(self, run_id: RunId, node: int, turns: Index) -> StepRow | None:
        """Return the succeeded record of a step, or else its last attempt."""
        document = self._records.document_of(run_id)
        return None if document is None else self._records.step(document, run_id, node, turns)

    def last_turn(self, run_id: RunId, node: int, prefix: Index) -> Index | None:
        """Return the highest recorded turns of a node that start with a prefix."""
        document = self._records.document_of(run_id)
        if document is None:
            return None
        entries = self._records.entries(document, key.node_prefix(run_id, node))
        turns = (key.turns_of_attempt(entry) for entry in entries)
        return max((it for it in turns if it[: len(prefix)] == prefix), default=None)

    def steps(self, run_id: RunId, *, after: str | None = None, limit: int = 100) -> StepPage:
        """Return one page of the history."""
        prefix = key.rows_prefix(run_id)
        if after is not None and not after.startswith(prefix):
            raise ValueError(f"{after[:80]!r} is not the `next` of a page of this run's history")
        document = self._records.document_of(run_id)
        if document is None:
            return StepPage([], None)
        page: list[StepRow] = []
        last = None
        for place, value in scan_all(self._store, prefix, after=after):
            row = unpack_step(value)
            record = row.record
            index = key.attempt_key(run_id, record.node, record.turns, record.attempt)
            if not counts(self._store, document, Row(place, b"", index)):
                continue
            if len(page) == limit:
                return StepPage(page, last)
            page.append(row)
            last = place
        return StepPage(page, None)
