"""A query selects by every condition that it gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sayiir_core.ids import InstanceId, RunId, WorkflowId
from sayiir_core.ports.instances import InstanceQuery
from sayiir_core.snapshot.head import Header, InstanceState
from sayiir_core.snapshot.step import ErrorRecord
from sayiir_core.workflow.definition import DefinitionIdentity

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def header(error: ErrorRecord | None = None) -> Header:
    """Return a run as a query sees it."""
    return Header(
        instance_id=InstanceId("order-1"),
        run_id=RunId("r"),
        identity=DefinitionIdentity(WorkflowId("w"), "hash"),
        policy_fingerprint="p",
        created_at=NOW,
        labels={"team": "red", "size": "big"},
        error=error,
    )


@pytest.mark.parametrize(
    ("met", "unmet"),
    [
        (InstanceQuery(workflow_id=WorkflowId("w")), InstanceQuery(workflow_id=WorkflowId("v"))),
        (InstanceQuery(state=InstanceState.RUNNING), InstanceQuery(state=InstanceState.PAUSED)),
        (InstanceQuery(id_prefix="order-"), InstanceQuery(id_prefix="rder-")),
        (InstanceQuery(labels={"team": "red"}), InstanceQuery(labels={"team": "blue"})),
        (InstanceQuery(created_before=NOW + timedelta(1)), InstanceQuery(created_before=NOW)),
        (InstanceQuery(created_after=NOW - timedelta(1)), InstanceQuery(created_after=NOW)),
    ],
)
def test_each_condition_selects_by_itself(met: InstanceQuery, unmet: InstanceQuery) -> None:
    """The one that holds selects the run, the other does not."""
    assert met.selects(header())
    assert not unmet.selects(header())


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        ("valueerr", True),
        ("TIMED OUT", True),
        ("VALUEERROR: card Ö", True),
        ("ö timed", True),
        ("place", False),
        ("Traceback", False),
        ("%", False),
    ],
)
def test_an_error_is_found_by_its_type_and_its_message_whatever_the_case(
    sought: str, found: bool
) -> None:
    """Neither its path nor its traceback counts, and no character is a wildcard."""
    error = ErrorRecord(
        path="place", type="ValueError", message="card Ö timed out", traceback="Traceback"
    )

    assert found is InstanceQuery(error_contains=sought).selects(header(error))


def test_a_run_without_an_error_is_not_found_by_it() -> None:
    """Not even by a text that everything contains."""
    assert not InstanceQuery(error_contains="").selects(header())
