"""The marker ``sayiir_crashes``: what a test runs is proved to recover.

``@pytest.mark.sayiir_crashes(order, {"item": "lamp"})`` proves this workflow with this input after the
body of the test, which may look at the report by the fixture ``sayiir_recovery``. Without a workflow it
proves every run that was noted by ``note_run`` while the test ran, as fixtures do that run workflows.
Further arguments are those of ``prove_recovery``.

The module is a pytest plugin of its own; another plugin may call its functions instead.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from sayiir_core.authoring import Workflow
from sayiir_pytest.recovery.prove import prove_recovery
from sayiir_pytest.recovery.report import RecoveryReport

NAME: Final = "sayiir_crashes"

DESCRIPTION: Final = (
    f"{NAME}(workflow=None, input=None, **options): prove that the workflow, or whatever workflow the "
    "test runs, recovers from a crash at every boundary; options are those of prove_recovery"
)


@dataclass(slots=True, kw_only=True)
class _Run:
    """One run that a marked test has made."""

    workflow: Workflow[Any, Any]
    input: Any
    options: dict[str, Any]


@dataclass(slots=True)
class _Notes:
    """What is known of one marked test."""

    runs: list[_Run] = field(default_factory=list[_Run])
    reports: list[RecoveryReport] = field(default_factory=list[RecoveryReport])


_NOTES: Final = pytest.StashKey[_Notes]()


def is_marked(item: pytest.Item) -> bool:
    """Tell whether a test carries the marker; imports nothing."""
    return item.get_closest_marker(NAME) is not None


def note_run(
    item: pytest.Item,
    workflow: Workflow[Any, Any],
    input: Any,  # noqa: A002 - the word of the public contract
    **options: Any,
) -> None:
    """Note a run that a test has made, for the proof after it if the test is marked.

    ``options`` are arguments of ``prove_recovery`` that the run itself knows best, such as
    ``backend`` and ``signals``; those of the marker count more.
    """
    if is_marked(item):
        notes = item.stash.setdefault(_NOTES, _Notes())
        notes.runs.append(_Run(workflow=workflow, input=input, options=options))


def prove_marked(item: pytest.Item) -> Sequence[RecoveryReport]:
    """Prove what a marked test names or has run, once; raises ``RecoveryError``."""
    marker = item.get_closest_marker(NAME)
    assert marker is not None, "only a marked test is proved"
    notes = item.stash.setdefault(_NOTES, _Notes())
    if notes.reports:
        return notes.reports
    for run in _named(marker) or notes.runs:
        options = {**run.options, **_options(marker)}
        notes.reports.append(prove_recovery(run.workflow, run.input, **options))
    if not notes.reports:
        pytest.fail(
            f"{item.nodeid} is marked {NAME}, but names no workflow and ran none: write "
            f"@pytest.mark.{NAME}(workflow, input)",
            pytrace=False,
        )
    for report in notes.reports:
        report.check()
    return notes.reports


def _named(marker: pytest.Mark) -> list[_Run]:
    known = {**dict(zip(("workflow", "input"), marker.args, strict=False)), **marker.kwargs}
    if "workflow" not in known:
        return []
    return [_Run(workflow=known["workflow"], input=known.get("input"), options={})]


def _options(marker: pytest.Mark) -> dict[str, Any]:
    return {name: it for name, it in marker.kwargs.items() if name not in ("workflow", "input")}


# The hooks and the fixture.


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", DESCRIPTION)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Prove a marked test once its body has passed."""
    result = yield
    if is_marked(item):
        prove_marked(item)
    return result


@pytest.fixture
def sayiir_recovery(request: pytest.FixtureRequest) -> RecoveryReport:
    """Return the report of the workflow that the marker names."""
    item: pytest.Item = request.node
    if not is_marked(item):
        pytest.fail(f"sayiir_recovery needs @pytest.mark.{NAME}(workflow, input)", pytrace=False)
    return prove_marked(item)[0]
