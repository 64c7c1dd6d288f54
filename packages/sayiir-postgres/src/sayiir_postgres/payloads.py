"""Read the bytes that leaf references name, many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, assert_never

from sayiir_core.ids import InstanceId, RunId, pack_index
from sayiir_core.snapshot.reference import InputRef, Leaf, SignalRef, StepRef
from sayiir_postgres.connections import Connection
from sayiir_postgres.database import Database

UNLIMITED: Final = 2**62

Wanted = tuple[InstanceId, RunId, Leaf]


def read_payloads(
    database: Database,
    connection: Connection,
    wanted: Sequence[Wanted],
    *,
    each: int = UNLIMITED,
    together: int = UNLIMITED,
) -> list[bytes | None]:
    """Return the payloads in order; None for what is absent, or over one of two limits in bytes."""
    found: list[bytes | None] = [None] * len(wanted)
    if wanted:
        parameters = _columns(wanted) | {"each": each, "together": together}
        for position, payload in database.statement(connection, "payloads", parameters):
            found[position - 1] = payload
    return found


def _columns(wanted: Sequence[Wanted]) -> dict[str, Any]:
    kinds = [_kind(leaf) for _, _, leaf in wanted]
    return {
        "kinds": [kind for kind, _, _ in kinds],
        "numbers": [number for _, number, _ in kinds],
        "turns": [turns for _, _, turns in kinds],
        "instance_ids": [instance_id for instance_id, _, _ in wanted],
        "runs": [run for _, run, _ in wanted],
    }


def _kind(leaf: Leaf) -> tuple[str, int, bytes]:
    match leaf:
        case InputRef():
            return "input", 0, b""
        case StepRef(node, turns):
            return "step", node, pack_index(turns)
        case SignalRef(seq):
            return "signal", seq, b""
        case _:
            assert_never(leaf)
