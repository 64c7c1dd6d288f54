"""Lanes and definitions by their numbers, remembered per backend."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sayiir_core.errors import BackendError
from sayiir_core.snapshot.head import Lane
from sayiir_core.workflow.definition import DefinitionIdentity
from sayiir_postgres.database import Database
from sayiir_postgres.transaction import Transaction


class Lanes:
    """Intern lanes; a number once known never changes.

    What is remembered only grows, one entry at a time, so threads need no lock.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._definitions: dict[DefinitionIdentity, int] = {}
        self._numbers: dict[Lane, int] = {}
        self._lanes: dict[tuple[int, str], Lane] = {}
        self._present: set[tuple[int, str]] = set()

    def numbers(self, lanes: Collection[Lane]) -> list[int]:
        """Return the numbers of those lanes that exist; others have no cursor yet."""
        if any(lane not in self._numbers for lane in lanes):
            self._look_up(lanes)
        return [self._numbers[lane] for lane in set(lanes) if lane in self._numbers]

    def lane(self, definition: int, tags: str) -> Lane:
        """Return a lane that was asked for before, by the number of its definition and its tags."""
        return self._lanes[definition, tags]

    def require(self, lanes: Collection[Lane]) -> dict[Lane, tuple[int, int]]:
        """Return the numbers of definition and lane for each, making lanes that lack.

        Raises ``BackendError`` for a definition that is not stored.
        """
        if any(lane not in self._numbers for lane in lanes):
            self._look_up(lanes)
            self._make({lane for lane in lanes if lane not in self._numbers})
        return {lane: (self._definitions[lane.identity], self._numbers[lane]) for lane in lanes}

    def _make(self, missing: Collection[Lane]) -> None:
        for lane in missing:
            if lane.identity not in self._definitions:
                raise BackendError(
                    f"definition {lane.identity} is not stored here; save it before its instances "
                    f"and before a session that serves it"
                )
        if missing:
            pairs = sorted((self._definitions[lane.identity], lane.group) for lane in missing)
            self._database.call("ensure_lanes", **_columns(pairs))
            self._look_up(missing)

    def ensure(self, tx: Transaction, wanted: Iterable[tuple[int, str]]) -> None:
        """Make the lanes, given by definition and tags, that may not exist yet."""
        missing = sorted(set(wanted) - self._present)
        if missing:
            tx.send("ensure_lanes", _columns(missing))
            tx.after_commit(lambda: self._present.update(missing))

    def _look_up(self, lanes: Collection[Lane]) -> None:
        wanted = list(lanes)
        rows = self._database.call(
            "known_lanes",
            workflow_ids=[lane.identity.workflow_id for lane in wanted],
            structure_hashes=[lane.identity.structure_hash for lane in wanted],
            tags=[lane.group for lane in wanted],
        )
        for workflow_id, structure_hash, tags, definition, number in rows:
            identity = DefinitionIdentity(workflow_id, structure_hash)
            self._definitions[identity] = definition
            if number is not None:
                lane = self._lanes[definition, tags] = Lane(identity, tags)
                self._numbers[lane] = number
                self._present.add((definition, tags))


def _columns(pairs: Sequence[tuple[int, str]]) -> dict[str, list[Any]]:
    return {
        "definitions": [definition for definition, _ in pairs],
        "tags": [tags for _, tags in pairs],
    }
