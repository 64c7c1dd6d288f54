"""The marker ``sayiir_crashes``: what a test runs is proved to recover.

``@pytest.mark.sayiir_crashes(order, {"item": "lamp"})`` proves this workflow with this input after the
body of the test, which may look at the report by the fixture ``sayiir_recovery``. Without a workflow it
proves every run that the test made by ``sayiir_engine``, with the signals that reached it, or that a
fixture of the suite has noted by ``note_run``. Further arguments are those of ``prove_recovery``.

Nothing but pytest is imported here, since the plugin imports this module in every run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from sayiir_core.authoring import Workflow
    from sayiir_pytest.engine import Engine
    from sayiir_pytest.recovery import RecoveryReport

NAME: Final = "sayiir_crashes"

DESCRIPTION: Final = (
    f"{NAME}(workflow=None, input=None, **options): prove that the workflow, or whatever the test "
    "runs by its engine, recovers from a crash at every boundary; options are those of prove_recovery"
)


@dataclass(slots=True, kw_only=True)
class _Run:
    """One run to prove."""

    workflow: Workflow[Any, Any]
    input: Any
    options: dict[str, Any]


@dataclass(slots=True)
class _Notes:
    """What is known of one marked test."""

    runs: list[_Run] = field(default_factory=list[_Run])
    engines: list[Engine] = field(default_factory=list["Engine"])
    reports: list[RecoveryReport] | None = None


_NOTES: Final = pytest.StashKey[_Notes]()


def is_marked(item: pytest.Item) -> bool:
    """Tell whether a test carries the marker."""
    return item.get_closest_marker(NAME) is not None


def forget(item: pytest.Item) -> None:
    """Forget what is known of a test that is about to begin."""
    item.stash[_NOTES] = _Notes()


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
        _notes(item).runs.append(_Run(workflow=workflow, input=input, options=options))


def note_engine(item: pytest.Item, engine: Engine) -> None:
    """Note the engine of a test, whose runs are proved if the test is marked."""
    if is_marked(item):
        _notes(item).engines.append(engine)


def prove_marked(item: pytest.Item) -> Sequence[RecoveryReport]:
    """Prove what a marked test names or has run, once; raises ``RecoveryError``."""
    from sayiir_pytest.recovery import prove_recovery

    marker = item.get_closest_marker(NAME)
    assert marker is not None, "only a marked test is proved"
    notes = _notes(item)
    if notes.reports is None:
        runs = _named(item, marker) or [*notes.runs, *_of_engines(item, notes.engines)]
        notes.reports = [
            prove_recovery(run.workflow, run.input, **{**run.options, **_options(marker)})
            for run in runs
        ]
    if not notes.reports:
        pytest.fail(
            f"{item.nodeid} is marked {NAME}, but names no workflow and ran none: write "
            f"@pytest.mark.{NAME}(workflow, input), or run one by sayiir_engine",
            pytrace=False,
        )
    for report in notes.reports:
        report.check()
    return notes.reports


def report_of(item: pytest.Item) -> RecoveryReport:
    """Return the report of the workflow that the marker of a test names."""
    if not is_marked(item):
        pytest.fail(f"sayiir_recovery needs @pytest.mark.{NAME}(workflow, input)", pytrace=False)
    return prove_marked(item)[0]


def _notes(item: pytest.Item) -> _Notes:
    return item.stash.setdefault(_NOTES, _Notes())


def _named(item: pytest.Item, marker: pytest.Mark) -> list[_Run]:
    if len(marker.args) > 2:
        pytest.fail(
            f"{item.nodeid}: @pytest.mark.{NAME} takes a workflow, its input and options by name; "
            f"write {marker.args[2]!r} as in mode='sigkill'",
            pytrace=False,
        )
    known = {**dict(zip(("workflow", "input"), marker.args, strict=False)), **marker.kwargs}
    if "workflow" not in known:
        return []
    return [_Run(workflow=known["workflow"], input=known.get("input"), options={})]


def _of_engines(item: pytest.Item, engines: Sequence[Engine]) -> list[_Run]:
    for engine in engines:
        for instance, _ in engine.started:
            stubs = engine.stubs(instance.workflow)
            if stubs:
                # A proof knows no stubs: it would call what the test keeps from being called.
                pytest.fail(
                    f"{item.nodeid} is marked {NAME} and stubs {', '.join(map(repr, stubs))} of "
                    f"workflow {instance.workflow.workflow_id!r}, but a proof calls the real tasks; "
                    f"name a workflow that may run: @pytest.mark.{NAME}(workflow, input)",
                    pytrace=False,
                )
    return [
        _Run(
            workflow=instance.workflow,
            input=value,
            options={"signals": [(signal.name, signal.payload) for signal in instance.signals]},
        )
        for engine in engines
        for instance, value in engine.started
    ]


def _options(marker: pytest.Mark) -> dict[str, Any]:
    return {name: it for name, it in marker.kwargs.items() if name not in ("workflow", "input")}
