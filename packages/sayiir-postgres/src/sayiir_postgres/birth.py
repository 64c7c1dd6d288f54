"""The rows of runs that are being created.

What runs have in common is their *kind*: definition, policy, owner, and what the first node says of
the cursor. A batch sends each kind once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sayiir_core.ids import sanitize_text
from sayiir_core.ports.instances import NewInstance
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.birth import born
from sayiir_core.snapshot.head import Head, Header, Lane
from sayiir_core.snapshot.reference import encode_ref
from sayiir_postgres import arrays

LaneNumbers = Mapping[Lane, tuple[int, int]]
"""The numbers of definition and lane."""

_LATER: Final = datetime.min.replace(tzinfo=UTC)
"""Stands for the instant of the creation until the server has told it."""


def birth_of(new: NewInstance, now: datetime) -> tuple[Head, Claim | None]:
    """Return the first head of a run, and the claim on its cursor if it is born owned."""
    header = Header(
        instance_id=new.instance_id,
        run_id=new.run_id,
        identity=new.identity,
        policy_fingerprint=new.policy_fingerprint,
        owner=new.owner,
        labels=_clean(new.labels) if new.labels else {},
        trace_parent=new.trace_parent,
        created_at=now,
    )
    return born(header, node=new.node, group=new.group, priority=new.priority)


def _clean(labels: dict[str, str]) -> dict[str, str]:
    return {sanitize_text(name): sanitize_text(value) for name, value in labels.items()}


def _labels_of(new: NewInstance) -> str | None:
    return json.dumps(_clean(new.labels)) if new.labels else None


def run_parameters(new: NewInstance, lanes: LaneNumbers) -> dict[str, Any]:
    """Return the parameters of ``create_run``."""
    return {
        "instance_id": new.instance_id,
        "run": new.run_id,
        "labels": _labels_of(new),
        "trace_parent": new.trace_parent,
        "payload": new.input,
        **_kind_parameters(new, lanes),
    }


def run_columns(batch: Sequence[NewInstance], lanes: LaneNumbers) -> dict[str, Any]:
    """Return the columns of runs, and of their kinds, for ``create_runs``."""
    numbers: dict[tuple[Any, ...], int] = {}
    firsts: list[NewInstance] = []
    kinds: list[int] = []
    for new in batch:
        kind = (
            new.identity,
            new.policy_fingerprint,
            new.owner,
            new.node,
            new.group,
            new.priority,
        )
        number = numbers.get(kind)
        if number is None:
            firsts.append(new)
            number = numbers[kind] = len(firsts)
        kinds.append(number)
    return {
        "kind": arrays.ints(kinds),
        "instance_id": arrays.texts([new.instance_id for new in batch]),
        "run": f"{{{','.join([new.run_id for new in batch])}}}",
        "labels": arrays.texts([_labels_of(new) for new in batch]),
        "trace_parent": arrays.texts([new.trace_parent for new in batch]),
        "payload": arrays.byteas([new.input for new in batch]),
        **_kind_columns(firsts, lanes),
    }


def _kind_columns(firsts: Sequence[NewInstance], lanes: LaneNumbers) -> dict[str, list[Any]]:
    kinds = [_kind_parameters(new, lanes) for new in firsts]
    columns = {name: [kind[name] for kind in kinds] for name in kinds[0]}
    owners = {owner for owner in columns["owner"] if owner is not None}
    return {**columns, "owners": sorted(owners)}


def _kind_parameters(new: NewInstance, lanes: LaneNumbers) -> dict[str, Any]:
    definition, lane = lanes[Lane(new.identity, new.group)]
    head, _ = birth_of(new, _LATER)
    (cursor,) = head.cursors.values()
    return {
        "definition": definition,
        "lane": lane,
        "policy_fingerprint": new.policy_fingerprint,
        "owner": new.owner,
        "fence": cursor.fence,
        "node": cursor.node,
        "input": encode_ref(cursor.input),
        "tags": cursor.group,
        "priority": cursor.priority,
    }


def replacement_columns(
    batch: Sequence[NewInstance], definitions: Sequence[int], now: datetime
) -> dict[str, list[Any]]:
    """Return the columns of runs that take the place of others, for ``replace_instances``."""
    return {
        "instance_id": [new.instance_id for new in batch],
        "run": [new.run_id for new in batch],
        "definition": list(definitions),
        "policy_fingerprint": [new.policy_fingerprint for new in batch],
        "owner": [new.owner for new in batch],
        "labels": [_labels_of(new) or "{}" for new in batch],
        "trace_parent": [new.trace_parent for new in batch],
        "created_at": [now] * len(batch),
        "payload": [new.input for new in batch],
    }
