"""Results: payloads by reference, records by key and by page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sayiir_core.errors import BackendError
from sayiir_core.ids import Index, InstanceId, RunId, pack_index, unpack_index
from sayiir_core.ports.results import StepPage
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.reference import (
    InputRef,
    JoinRef,
    Leaf,
    Ref,
    SignalRef,
    StepRef,
    decode_ref,
)
from sayiir_core.snapshot.step import StepRow
from sayiir_sqlite.connection import Handle
from sayiir_sqlite.database import Database
from sayiir_sqlite.rows import read_step, step_range, turn_range
from sayiir_sqlite.statement import statement

_RUN: Final = statement("run_of_id")
_INPUT: Final = statement("payload_of_input")
_OUTPUT: Final = statement("payload_of_step")
_SIGNAL: Final = statement("payload_of_signal")
_BRANCHES: Final = statement("branches_of_fork")
_SCOPE: Final = statement("scope_value")
_STEP: Final = statement("step_of_run")
_LAST_TURN: Final = statement("last_turn")
_PAGE: Final = statement("step_page")

_ANY_SIZE: Final = 2**62
_CLAIMED_INPUT: Final = 64 * 1024
_CLAIMED_INPUTS: Final = 4 * 1024 * 1024


class SQLiteResults:
    """Read what runs have recorded; absent is None."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    def payloads(
        self, instance_id: InstanceId, run_id: RunId, leaves: Sequence[Leaf]
    ) -> list[bytes | None]:
        """Return the payloads of the run's input, succeeded steps or signals, in order."""
        with self._database.reading() as handle:
            run = self._database.numbers.run(handle, run_id, instance_id)
            return [
                None if run is None else _payload(handle, instance_id, run, leaf, _ANY_SIZE)
                for leaf in leaves
            ]

    def branches(self, run_id: RunId, join: JoinRef) -> list[Ref | None]:
        """Return where the values of a fork's branches stand, in declaration order."""
        scopes = range(join.first, join.first + join.count)
        with self._database.reading() as handle:
            key = (_run(handle, run_id), pack_index(join.turns), scopes.start, scopes.stop)
            values: dict[int, str] = dict(handle.all(_BRANCHES, key))
        return [decode_ref(values[scope]) if scope in values else None for scope in scopes]

    def scope(self, run_id: RunId, scope: int, index: Index) -> Ref | None:
        """Return where the value of one finished scope stands."""
        with self._database.reading() as handle:
            row = handle.one(_SCOPE, (_run(handle, run_id), pack_index(index), scope))
        return None if row is None else decode_ref(row[0])

    def step(self, run_id: RunId, node: int, turns: Index) -> StepRow | None:
        """Return the succeeded record of a step, or else its last attempt."""
        with self._database.reading() as handle:
            row = handle.one(_STEP, (_run(handle, run_id), node, pack_index(turns)))
        return None if row is None else read_step(row)

    def last_turn(self, run_id: RunId, node: int, prefix: Index) -> Index | None:
        """Return the highest turns, starting with ``prefix``, that a node has a record for."""
        with self._database.reading() as handle:
            row = handle.one(_LAST_TURN, (_run(handle, run_id), node, *turn_range(prefix)))
        return None if row is None else unpack_index(row[0])

    def steps(self, run_id: RunId, *, after: str | None = None, limit: int = 100) -> StepPage:
        """Return one page of the history."""
        size = max(limit, 1)
        with self._database.reading() as handle:
            run = _run(handle, run_id)
            first, end = step_range(run or 0)
            rows = handle.all(_PAGE, (max(page_token(after, first), first), end, size + 1))
        following = str(rows[size - 1][0]) if len(rows) > size else None
        return StepPage([read_step(row) for row in rows[:size]], following)


def attach_inputs(database: Database, claims: Sequence[Claim]) -> None:
    """Put the small payloads that claimed cursors name into their claims."""
    if not claims:
        return
    left = _CLAIMED_INPUTS
    with database.reading() as handle:
        for claim in claims:
            leaf, lease = claim.cursor.input, claim.lease
            if not isinstance(leaf, InputRef | StepRef | SignalRef):
                continue
            run = database.numbers.run(handle, lease.run_id, lease.instance_id)
            if run is None:
                continue
            largest = min(_CLAIMED_INPUT, left)
            payload = _payload(handle, lease.instance_id, run, leaf, largest)
            if payload is not None:
                claim.inputs[leaf] = payload
                left -= len(payload)


def page_token(text: str | None, start: int) -> int:
    """Return the number in a page token; ``BackendError`` for what is none."""
    if text is None:
        return start
    try:
        return int(text)
    except ValueError:
        raise BackendError(f"{text!r} is no page token; pass the next of a page before") from None


def _run(handle: Handle, run_id: RunId) -> int | None:
    row = handle.one(_RUN, (run_id,))
    return None if row is None else int(row[0])


def _payload(
    handle: Handle, instance_id: InstanceId, run: int, leaf: Leaf, largest: int
) -> bytes | None:
    match leaf:
        case InputRef():
            row = handle.one(_INPUT, (run, largest))
        case StepRef(node, turns):
            row = handle.one(_OUTPUT, (run, node, pack_index(turns), largest))
        case SignalRef(seq):
            row = handle.one(_SIGNAL, (instance_id, seq, largest))
    return None if row is None else row[0]
