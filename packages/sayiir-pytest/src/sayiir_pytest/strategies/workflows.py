"""Workflows ready to run, with what is known of their outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis.strategies import SearchStrategy

from sayiir_core.authoring import Workflow
from sayiir_pytest.strategies.build import build
from sayiir_pytest.strategies.calls import CallLog
from sayiir_pytest.strategies.draw import plans
from sayiir_pytest.strategies.expect import Expected, expected
from sayiir_pytest.strategies.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """A generated workflow, the plan that it was built from, and the log of its bodies' calls."""

    workflow: Workflow[Any, Any]
    plan: Plan
    calls: CallLog

    def expected(self, value: int) -> Expected:
        """Return what must come of an input: a number from 0 on."""
        return expected(self.plan, value)


def workflows(
    *,
    delays: bool = True,
    signals: bool = False,
    failures: bool = True,
    tags: tuple[str, ...] = (),
    max_elements: int = 12,
    retry_delay: float = 0.0,
) -> SearchStrategy[Generated]:
    """Return a strategy of workflows with deterministic bodies; see ``plans`` for the wishes.

    ``retry_delay`` is the back-off of tasks that fail, in seconds.
    """
    drawn = plans(
        delays=delays, signals=signals, failures=failures, tags=tags, max_elements=max_elements
    )

    def built(plan: Plan) -> Generated:
        calls = CallLog()
        workflow = build(plan, calls, name="generated", retry_delay=retry_delay)
        return Generated(workflow=workflow, plan=plan, calls=calls)

    return drawn.map(built)
