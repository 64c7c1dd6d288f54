"""Create, read, list and remove runs."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sayiir_core.errors import InstanceNotFoundError, RefusedRowError
from sayiir_core.ids import InstanceId, sanitize_text
from sayiir_core.ports.instances import (
    Created,
    Exists,
    InstancePage,
    InstanceQuery,
    NewInstance,
)
from sayiir_core.ports.wakeup import HintKind
from sayiir_core.snapshot.head import Head, Header
from sayiir_postgres.connections import Connection
from sayiir_postgres.creation import Creation
from sayiir_postgres.database import Database
from sayiir_postgres.lanes import Lanes
from sayiir_postgres.loading import load_heads
from sayiir_postgres.removal import prune
from sayiir_postgres.results import page_position
from sayiir_postgres.rows import Row, header_of


class PostgresInstances:
    """The instance port."""

    def __init__(self, database: Database, lanes: Lanes, *, max_payload_bytes: int) -> None:
        self._database = database
        self._creation = Creation(database, lanes)
        self._max_payload_bytes = max_payload_bytes

    def create(self, batch: Sequence[NewInstance]) -> list[Created | Exists]:
        """Create each run, or answer which one has its id; one answer each, in order."""
        for new in batch:
            if len(new.input) > self._max_payload_bytes:
                raise RefusedRowError(
                    f"the input of instance {new.instance_id!r} has {len(new.input)} bytes, more "
                    f"than max_payload_bytes={self._max_payload_bytes}; store it elsewhere and "
                    f"pass its name, or raise the limit",
                    instance_id=new.instance_id,
                )
        answers = self._creation.create(batch)
        kinds = _hints(batch)
        if kinds:
            self._database.hint(kinds)
        return answers

    def load(self, instance_id: InstanceId) -> Head:
        """Return the header and all live cursors, consistent with each other."""
        heads = self._database.run(lambda c: load_heads(self._database, c, [instance_id]))
        if not heads:
            raise InstanceNotFoundError(instance_id)
        return heads[0]

    def headers(self, instance_ids: Sequence[InstanceId]) -> list[Header | None]:
        """Return the header of each instance, None for an unknown one, in one round trip."""
        if not instance_ids:
            return []
        rows = self._database.call("load_headers", instance_ids=list(set(instance_ids)))
        found = {header.instance_id: header for header in map(header_of, rows)}
        return [found.get(instance_id) for instance_id in instance_ids]

    def select(self, query: InstanceQuery) -> InstancePage:
        """Return one page of headers, newest first."""
        parameters = select_parameters(query)

        def work(connection: Connection) -> list[Row]:
            with self._database.transaction(connection, "read") as tx:
                # For the conditions that are given: one plan for all would know no index.
                tx.send("plan_for_values", {})
                found = tx.send("select_instances", parameters)
            return list(found.rows())

        rows = self._database.run(work)
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        return InstancePage([header_of(row) for row in rows], str(rows[-1][-1]) if more else None)

    def prune(self, *, finished_before: datetime, limit: int) -> int:
        """Remove up to ``limit`` quiescent final runs that ended before an instant."""
        return prune(self._database, finished_before=finished_before, limit=limit)


def _hints(batch: Sequence[NewInstance]) -> set[HintKind]:
    """Return what others may want to know: a run that is replaced has ended."""
    kinds: set[HintKind] = set()
    for new in batch:
        if new.owner is None:
            kinds.add(HintKind.CLAIMABLE)
        if new.replace:
            kinds.add(HintKind.ENDED)
    return kinds


def select_parameters(query: InstanceQuery) -> dict[str, Any]:
    """Return the parameters of ``select_instances``."""
    labels = {sanitize_text(k): sanitize_text(v) for k, v in query.labels.items()}
    return {
        "after": page_position(query.after),
        "workflow_id": query.workflow_id,
        "state": None if query.state is None else query.state.value,
        "id_prefix": query.id_prefix,
        "created_before": query.created_before,
        "created_after": query.created_after,
        "labels": json.dumps(labels) if labels else None,
        "error": None if query.error_contains is None else _any_case(query.error_contains),
        "limit": query.limit + 1,
    }


def _any_case(sought: str) -> str:
    """Return a pattern that finds a text in any case, whatever the locale of the database."""
    return "".join(_one_case(character) for character in sanitize_text(sought))


def _one_case(character: str) -> str:
    forms = {character, character.lower(), character.upper()}
    letters = sorted(form for form in forms if len(form) == 1)
    return re.escape(character) if len(letters) == 1 else f"[{''.join(letters)}]"
