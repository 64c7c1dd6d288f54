"""Lanes: which queues a session takes work from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sayiir_core.ids import WorkflowId
from sayiir_core.snapshot.head import Lane
from sayiir_core.workflow.definition import DefinitionIdentity
from sayiir_sqlite.connection import Handle
from sayiir_sqlite.statement import statement

_INSERT: Final = statement("session_lane_insert")
_OF_SESSION: Final = statement("session_lanes")


def insert_lanes(handle: Handle, session: int, lanes: Iterable[Lane]) -> None:
    """Write the lanes of a new session, given by its number."""
    handle.change_many(
        _INSERT,
        [
            (session, *lane.identity, lane.group, position)
            for position, lane in enumerate(dict.fromkeys(lanes))
        ],
    )


def lanes_of_session(handle: Handle, session: int) -> tuple[Lane, ...]:
    """Return the lanes of a session in the order in which it named them."""
    return tuple(
        Lane(DefinitionIdentity(WorkflowId(workflow_id), structure_hash), group)
        for workflow_id, structure_hash, group in handle.all(_OF_SESSION, (session,))
    )
