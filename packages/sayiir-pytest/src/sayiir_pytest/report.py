"""What a failing test reports: where its instances are, what they wait for, what has happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

import pytest

from sayiir_core.engine.explain import Explanation
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.instances import InstanceQuery
from sayiir_core.snapshot.head import Head

if TYPE_CHECKING:
    from sayiir_pytest.engine import Engine
    from sayiir_pytest.fleet import Faults, Fleet

_MOST_INSTANCES: Final = 10
_MOST_EVENTS: Final = 40
_MOST_TOLD: Final = 40

Reporter = Callable[[], str]

_REPORTERS: Final = pytest.StashKey[dict[str, Reporter]]()


def add_reporter(node: pytest.Item, title: str, reporter: Reporter) -> None:
    """Let a failure of the test have a section; a later reporter of one title replaces the former."""
    node.stash.setdefault(_REPORTERS, {})[title] = reporter


def attach(report: pytest.TestReport, item: pytest.Item) -> None:
    """Add the sections of a test to the report of its failure."""
    reporters = item.stash.get(_REPORTERS, dict[str, Reporter]())
    for title, reporter in reporters.items():
        try:
            text = reporter()
        except Exception as error:  # noqa: BLE001 - a report must not hide the failure it is about
            text = f"not available: {type(error).__name__}: {error}"
        if text:
            report.sections.append((title, text))
    # Once is enough: of a failing test the teardown may fail, too.
    reporters.clear()


def report_of_engine(engine: Engine) -> str:
    """Return what the newest instances of an engine's store do, with the histories it knows."""
    return _report(engine.backend, engine.history_lines)


def report_of_backend(backend: Backend) -> str:
    """Return what the newest instances of a store do."""
    return _report(backend, lambda _: [])


def _report(backend: Backend, history_of: Callable[[Head], list[str]]) -> str:
    from sayiir_runtime.observe import Observer
    from sayiir_runtime.payloads import default_codec

    observer = Observer(backend, default_codec())
    page = backend.instances.select(InstanceQuery(limit=_MOST_INSTANCES))
    parts = ["… and older ones"] if page.next is not None else []
    for header in reversed(page.headers):
        head = backend.instances.load(header.instance_id)
        history = history_of(head)
        shown = history[-_MOST_EVENTS:]
        if len(shown) < len(history):
            shown.insert(0, f"… {len(history) - len(shown)} earlier events")
        status = observer.status_of_head(head, None).status
        parts.append(_described(head, status, observer.explain_head(head), shown))
    return _together(parts, backend.now())


def _together(parts: list[str], now: datetime) -> str:
    if not parts:
        return ""
    return "\n\n".join([f"virtual time: {now:%Y-%m-%d %H:%M:%S} UTC", *parts])


def _described(head: Head, status: str, explanations: list[Explanation], history: list[str]) -> str:
    header = head.header
    lines = [f"{header.instance_id} ({header.identity.workflow_id}): {status}"]
    for each in explanations:
        where = f"at {each.path}: " if each.path else ""
        lines += [f"  {where}{each.sentence}", f"    what helps: {each.action}"]
    lines.extend(f"  {line}" for line in _traceback(head))
    return "\n".join([*lines, *(f"  {line}" for line in history)])


def _traceback(head: Head) -> Iterator[str]:
    error = head.header.error
    if error is not None and error.traceback is not None:
        yield from error.traceback.rstrip().splitlines()


def fleet_maker(node: pytest.Item) -> Callable[..., Fleet]:
    """Return what makes fleets of which a failing test reports the seed and the story."""

    def make(
        seed: int, *, workers: int = 3, instances: int = 3, faults: Faults | None = None
    ) -> Fleet:
        from sayiir_pytest.fleet import ROUGH, Fleet

        fleet = Fleet(seed, workers=workers, instances=instances, faults=faults or ROUGH)
        add_reporter(node, f"sayiir fleet, seed {seed}", lambda: _story(fleet))
        return fleet

    return make


def _story(fleet: Fleet) -> str:
    return "\n".join(fleet.world.story[-_MOST_TOLD:])
