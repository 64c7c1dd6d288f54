"""The signals that an instance has received, and what of a payload a test asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sayiir_core.ports.backend import Backend
from sayiir_core.snapshot.head import Head
from sayiir_core.snapshot.reference import SignalRef
from sayiir_core.snapshot.step import StepRow
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.node import SignalNode
from sayiir_runtime.codec import PayloadCodec


class ReceivedSignal(NamedTuple):
    """A signal by its name, with its plain payload."""

    name: str
    payload: Any


def received_signals(
    backend: Backend,
    codec: PayloadCodec,
    definition: Definition,
    head: Head,
    rows: Sequence[StepRow],
) -> list[ReceivedSignal]:
    """Return every signal that reached an instance, in the order of their arrival.

    Those that its run has consumed, that wake a cursor now, and that nothing has waited for yet.
    """
    header = head.header
    names = {it.seq: it.name for it in backend.signals.pending(header.instance_id)}
    for cursor in head.cursors.values():
        if cursor.delivered is not None and cursor.node >= 0:
            names[cursor.delivered] = _name(definition, cursor.node)
    for row in rows:
        if isinstance(row.record.source, SignalRef):
            names[row.record.source.seq] = _name(definition, row.record.node)
    order = sorted(names)
    payloads = backend.results.payloads(
        header.instance_id, header.run_id, [SignalRef(seq) for seq in order]
    )
    return [
        ReceivedSignal(names[seq], codec.decode(payload))
        for seq, payload in zip(order, payloads, strict=True)
        if payload is not None
    ]


def signal_names(definition: Definition) -> list[str]:
    """Return the names of the signals that a workflow can wait for, in their order."""
    return sorted({it.signal_name for it in definition.nodes if isinstance(it, SignalNode)})


def matches(expected: Any, actual: Any) -> bool:
    """Tell whether a value has everything that is expected of it.

    A dict may have further keys, at any depth; lists match element by element; all else is equal.
    """
    kinds = expected.__class__, actual.__class__
    if kinds == (dict, dict):
        return all(key in actual and matches(expected[key], actual[key]) for key in expected)
    if kinds in {(list, list), (tuple, list)}:
        return len(expected) == len(actual) and all(map(matches, expected, actual))
    return bool(expected == actual)


def _name(definition: Definition, ordinal: int) -> str:
    node = definition.nodes[ordinal]
    assert isinstance(node, SignalNode), "only a signal wait takes a signal"
    return node.signal_name
