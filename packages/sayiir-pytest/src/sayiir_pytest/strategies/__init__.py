"""Generated workflows with a known outcome, for laws that must hold for all of them.

A *plan* is a workflow as plain data. ``plans()`` draws one, ``build(plan, calls)`` makes the
workflow with deterministic bodies, and ``expected(plan, value)`` says by a tiny interpreter of
its own, which shares no code with the engine, what must come out::

    @given(plans(), st.integers(0, 99))
    def test_a_law(plan, value):
        calls = CallLog()
        outcome = expected(plan, value)
        for name, payload in outcome.signals:
            send_signal("it", name, payload, backend)

        status = run_durable_workflow(build(plan, calls), "it", value, backend)

        assert outcome.status == status.status
        assert not calls.repeated()

``workflows()`` draws both at once. ``payloads(Model)`` draws values of a model or any other annotation,
and ``sayiir_pytest.strategies.machine`` has a state machine that does to a workflow whatever can
be done to one.
"""

from __future__ import annotations

from sayiir_pytest.strategies.build import build
from sayiir_pytest.strategies.calls import Call, CallLog
from sayiir_pytest.strategies.draw import plans
from sayiir_pytest.strategies.expect import Expected, expected
from sayiir_pytest.strategies.payloads import payloads
from sayiir_pytest.strategies.plan import (
    Child,
    Delay,
    Element,
    Elements,
    Fork,
    Form,
    Loop,
    Plan,
    PlannedError,
    Route,
    Signal,
    Task,
)
from sayiir_pytest.strategies.workflows import Generated, workflows

__all__ = [
    "Call",
    "CallLog",
    "Child",
    "Delay",
    "Element",
    "Elements",
    "Expected",
    "Fork",
    "Form",
    "Generated",
    "Loop",
    "Plan",
    "PlannedError",
    "Route",
    "Signal",
    "Task",
    "build",
    "expected",
    "payloads",
    "plans",
    "workflows",
]
