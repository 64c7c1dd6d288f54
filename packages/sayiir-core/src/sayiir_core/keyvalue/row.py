"""Rows that are written before the document that acknowledges them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from sayiir_core.errors import DeserializationError
from sayiir_core.ids import RunId
from sayiir_core.keyvalue import key
from sayiir_core.keyvalue.document import InstanceDocument
from sayiir_core.snapshot.document import parse
from sayiir_core.snapshot.row_document import (
    scope_from_document,
    scope_to_document,
    step_from_document,
    step_to_document,
)
from sayiir_core.snapshot.step import ScopeRow, StepRow
from sayiir_core.workflow.fields import Fields


@dataclass(frozen=True, slots=True)
class Row:
    """A value under a key of its own, and the index entry that makes it count."""

    key: str
    value: bytes
    index: str


def step_rows(document: InstanceDocument, run_id: RunId, steps: Iterable[StepRow]) -> list[Row]:
    """Return the rows of execution records, to be acknowledged by the next write."""
    rows: list[Row] = []
    for position, step in enumerate(steps):
        value = pack_step(step)
        row = key.row_key(run_id, document.revision + 1, position, digest(value))
        record = step.record
        index = key.attempt_key(run_id, record.node, record.turns, record.attempt)
        rows.append(Row(row, value, index))
        document.fresh[index] = row
    return rows


def acknowledge_scopes(
    document: InstanceDocument, run_id: RunId, scopes: Iterable[ScopeRow]
) -> None:
    """Make scope rows part of the next write; they are their own index entries."""
    for scope in scopes:
        entry = key.scope_key(run_id, scope.scope, scope.index)
        document.fresh[entry] = json.dumps(scope_to_document(scope), separators=(",", ":"))


def acknowledge_consumed(document: InstanceDocument, entry: str, seq: int) -> None:
    """Move the place of a consumed signal's payload to the index."""
    document.fresh[entry] = document.payloads.pop(seq)


def pack_step(step: StepRow) -> bytes:
    """Return a record as one line of JSON, followed by its output as it is."""
    output = step.record.output
    form = {**step_to_document(step), "has_output": output is not None}
    return json.dumps(form, separators=(",", ":")).encode() + b"\n" + (output or b"")


def unpack_step(value: bytes) -> StepRow:
    """Invert ``pack_step``; ``DeserializationError`` for anything else."""
    line, newline, output = value.partition(b"\n")
    if not newline:
        raise DeserializationError("a stored step ends too early")
    form = parse(line, "a stored step")
    has_output = Fields.of(form, "a stored step").flag("has_output")
    return step_from_document(form, output if has_output else None)


def unpack_scope(value: str | bytes) -> ScopeRow:
    """Return a scope row from its index entry."""
    return scope_from_document(parse(value, "a stored scope"))


def digest(value: bytes) -> str:
    """Return what tells different values under one guard apart."""
    return sha256(value).hexdigest()[:32]
