"""Copies of heads are whole and independent."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime

import pytest

from sayiir_core.ids import InstanceId, RunId, WorkflowId
from sayiir_core.snapshot.head import Cursor, Header
from sayiir_core.snapshot.reference import INPUT
from sayiir_core.workflow.definition import DefinitionIdentity

_HEADER = Header(
    instance_id=InstanceId("order-1"),
    run_id=RunId("r"),
    identity=DefinitionIdentity(WorkflowId("w"), "hash"),
    policy_fingerprint="p",
    created_at=datetime(2024, 1, 1, tzinfo=UTC),
)
_CURSOR = Cursor(scope=0, index=(), node=0, turns=(), input=INPUT)


@pytest.mark.parametrize("original", [_CURSOR, _HEADER])
def test_a_copy_has_every_field_of_its_original(original: Cursor | Header) -> None:
    """Each field, made distinct, arrives in the copy: none is left out and none is swapped."""
    marked = original.copy()
    for field in fields(marked):
        if field.name != "labels":
            setattr(marked, field.name, f"the {field.name}")

    copied = marked.copy()

    assert marked == copied
    assert marked is not copied


def test_the_labels_of_a_copied_header_are_its_own() -> None:
    """Changing the labels of a copy leaves the original alone."""
    copied = _HEADER.copy()

    copied.labels["team"] = "red"

    assert {} == _HEADER.labels
