"""The columns of ``commit.sql``: a row per checkpoint, then one per parent that it locks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sayiir_core.ids import Index, InstanceId, RunId, pack_index
from sayiir_core.snapshot.apply import AVOIDANCE
from sayiir_core.snapshot.effect import (
    Arrive,
    Child,
    Finish,
    Lease,
    Move,
    Sleep,
    Spawn,
)
from sayiir_core.snapshot.reference import INPUT, Ref, encode_ref
from sayiir_core.snapshot.step import ErrorRecord, StepRecord, StepStatus
from sayiir_postgres.arrays import Packed, bigints, bools, byteas, instants, ints, texts
from sayiir_postgres.kind import Kind, Plain
from sayiir_postgres.writes import error_columns

Parents = dict[tuple[RunId, int, Index], int]
"""The parents at which branches arrive, with the numbers of their rows."""

# Where an effect is missing, its columns are filled with what the statement does not look at.
_NO_STEP: Final = StepRecord(0, (), 0, StepStatus.SUCCEEDED)
_NO_MOVE: Final = Move(0, (), INPUT, "", 0)

_STATUS: Final = {status: status.value for status in StepStatus}


def columns(batch: Sequence[Plain]) -> dict[str, Any]:
    """Return the parameters of the statement, the clock apart."""
    parents = _parents(batch)
    return {
        **_guards(batch, parents),
        **_positions(batch),
        **_forks(batch),
        **_arrivals(batch, parents),
        **_steps(batch),
        "instance_ids": texts(_instances(batch)),
        "avoidance": AVOIDANCE,
        "count": len(batch),
    }


def _parents(batch: Sequence[Plain]) -> Parents:
    parents: Parents = {}
    for part in batch:
        if type(part.last) is Arrive:
            scope, index = part.last.parent
            key = (part.numbered[1].lease.run_id, scope, index)
            parents.setdefault(key, len(batch) + len(parents) + 1)
    return parents


def _instances(batch: Sequence[Plain]) -> list[InstanceId]:
    """Return whose rows are locked: those where the set of cursors changes beyond a parent."""
    latched = (Kind.FORK, Kind.FINISH)
    return sorted({it.numbered[1].lease.instance_id for it in batch if it.kind in latched})


def _guards(batch: Sequence[Plain], parents: Parents) -> dict[str, Any]:
    leases: list[Lease] = [it.numbered[1].lease for it in batch]
    runs = [lease.run_id for lease in leases] + [run for run, _, _ in parents]
    return {
        "kind": ints([it.kind for it in batch] + [Kind.PARENT] * len(parents)),
        "run": f"{{{','.join(runs)}}}",
        "scope": ints([lease.scope for lease in leases] + [scope for _, scope, _ in parents]),
        "idx": byteas(
            [pack_index(lease.index) for lease in leases]
            + [pack_index(index) for _, _, index in parents]
        ),
        "session": leases[0].session,
        "fence": bigints([lease.fence for lease in leases]),
        "seq": bigints([it.numbered[1].seq for it in batch]),
        "keep": bools([it.numbered[1].keep and type(it.last) is not Sleep for it in batch]),
    }


def _positions(batch: Sequence[Plain]) -> dict[str, Any]:
    moves = [it.move or _NO_MOVE for it in batch]
    return {
        "node": ints([move.node for move in moves]),
        "turns": byteas([pack_index(move.turns) for move in moves]),
        "input": texts([_value(it) for it in batch]),
        "tags": texts([move.group for move in moves]),
        "priority": ints([move.priority for move in moves]),
        "at": instants([it.at for it in batch]),
    }


def _value(part: Plain) -> str | None:
    if part.move is not None:
        return encode_ref(part.move.input)
    return encode_ref(part.last.value) if isinstance(part.last, Arrive | Finish) else None


def _forks(batch: Sequence[Plain]) -> dict[str, Any]:
    """Return the children of all forks, and for each fork the range that is its own."""
    first: list[int] = []
    last: list[int] = []
    children: list[Child] = []
    inputs: list[str] = []
    taken: list[bool] = []
    for part in batch:
        first.append(len(children) + 1)
        if type(part.last) is Spawn:
            children += part.last.children
            inputs += [encode_ref(part.last.input)] * len(part.last.children)
            take = part.numbered[1].take
            taken += [child.scope in take for child in part.last.children]
        last.append(len(children))
    return {
        "first_child": ints(first if children else ()),
        "last_child": ints(last if children else ()),
        "child_scope": ints([child.scope for child in children]),
        "child_node": ints([child.node for child in children]),
        "child_turns": byteas([pack_index(child.turns) for child in children]),
        "child_tags": texts([child.group for child in children]),
        "child_priority": ints([child.priority for child in children]),
        "child_input": texts(inputs),
        "child_taken": bools(taken),
    }


def _arrivals(batch: Sequence[Plain], parents: Parents) -> dict[str, Any]:
    numbers: list[int] = []
    scopes: list[int] = []
    indexes: list[bytes | None] = []
    for part in batch if parents else ():
        if type(part.last) is Arrive:
            scope, index = part.last.parent
            numbers.append(parents[part.numbered[1].lease.run_id, scope, index])
            scopes.append(scope)
            indexes.append(pack_index(index))
        else:
            numbers.append(0)
            scopes.append(0)
            indexes.append(None)
    return {"parent": ints(numbers), "parent_scope": ints(scopes), "parent_idx": byteas(indexes)}


def _steps(batch: Sequence[Plain]) -> dict[str, Any]:
    records = [it.step or _NO_STEP for it in batch]
    return {
        "step_node": ints([it.node for it in records]),
        "step_turns": byteas([pack_index(it.turns) for it in records]),
        "attempt": ints([it.attempt for it in records]),
        "status": texts([_STATUS[it.status] for it in records]),
        "verdict": texts([None if it.verdict is None else it.verdict.value for it in records]),
        "started_at": instants([it.started_at for it in records]),
        "finished_at": instants([it.finished_at for it in records]),
        "source": texts([_text(it.source) for it in records]),
        "output": byteas([it.output for it in records]),
        **_errors(records),
    }


def _text(ref: Ref | None) -> str | None:
    return None if ref is None else encode_ref(ref)


def _errors(records: Sequence[StepRecord]) -> dict[str, Packed]:
    """Return the errors that there are, and for each record the number of its own, or 0."""
    errors: list[ErrorRecord | None] = []
    numbers: list[int] = []
    for record in records:
        if record.error is not None:
            errors.append(record.error)
        numbers.append(0 if record.error is None else len(errors))
    columns = {name: texts(column) for name, column in error_columns(errors).items()}
    return {"error": ints(numbers if errors else ()), **columns}
