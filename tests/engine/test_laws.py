"""The engine has no semantics of its own: generated workflows end as their plans say."""

from __future__ import annotations

import ast
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sayiir_pytest.engine
from sayiir_core.ports.backend import Backend
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.engine import Engine
from sayiir_pytest.keyvalue import DictKeyValueStore
from sayiir_pytest.strategies import CallLog, Plan, build, expected, plans
from tests.engine.shop import ORDER, order_flow
from tests.keyvalue.story import backend_on
from tests.laws.lawbook import check_outcome

EXAMPLES = {"memory": 60, "sqlite": 15, "postgres": 5}


@pytest.mark.sayiir(backend=list(EXAMPLES))
def test_law_1_the_engine_gives_what_the_plan_says(
    sayiir_backend: Backend, sayiir_backend_name: str, sayiir_clock: VirtualClock
) -> None:
    """Same output or failure, and each body once, whatever is generated, on every store."""

    @settings(
        max_examples=EXAMPLES[sayiir_backend_name],
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(plans(signals=True), st.integers(0, 99), st.sampled_from([0.1, 90.0]))
    def law(plan: Plan, value: int, back_off: float) -> None:
        calls, outcome, instance_id = CallLog(), expected(plan, value), uuid.uuid4().hex
        workflow: Any = build(plan, calls, retry_delay=back_off)
        with Engine(sayiir_backend, sayiir_clock) as engine:
            for name, payload in outcome.signals:
                engine.client.send_signal(instance_id, name, payload)

            run = engine.run(workflow, value, instance_id)

            check_outcome(run.details, outcome)
            assert [] == calls.repeated()
            assert run.details.status != "completed" or outcome.calls == len(calls)
            assert f"started with {value}" in str(run.history)

    law()


def test_the_engine_runs_on_any_backend(sayiir_clock: VirtualClock) -> None:
    """On a key-value store, too, for which it was not written."""
    with Engine(backend_on(DictKeyValueStore(), sayiir_clock), sayiir_clock) as engine:
        order = engine.start(order_flow(), ORDER)
        engine.advance("3d")
        order.signal("approval", {"by": "Ada"})

        assert "shipped, approved by Ada" == order.output


def test_the_engine_never_interprets_a_definition_itself() -> None:
    """What follows an outcome and what a commit means is left to the worker and the store."""
    sources = Path(sayiir_pytest.engine.__file__).parent.glob("*.py")
    imported = {
        node.module
        for source in sources
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.ImportFrom)
    }

    deciding = {"advance", "walk", "onward", "transition", "apply", "motion", "birth", "control"}
    assert set() == {name for name in imported if name and name.rpartition(".")[2] in deciding}
