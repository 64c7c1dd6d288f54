"""Generated plans build, and the engine leads to what the interpreter of plans expects."""

from __future__ import annotations

import asyncio
import inspect
import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from sayiir_core.authoring import (
    LoopResult,
    TaskMetadata,
    Workflow,
    get_task_context,
    reset_task_context,
    set_task_context,
)
from sayiir_core.engine.advance import advance
from sayiir_core.engine.outcome import (
    Entered,
    Expired,
    Failed,
    Outcome,
    Signalled,
    Succeeded,
    Woken,
)
from sayiir_core.ids import InstanceId, RunId, SessionId
from sayiir_core.ports.instances import NewInstance
from sayiir_core.ports.sessions import NewSession
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.head import CursorState, Head, Lane
from sayiir_core.snapshot.reference import JoinRef, Ref, RoutedRef, StepRef
from sayiir_core.snapshot.status import status_of
from sayiir_core.snapshot.step import ErrorRecord
from sayiir_core.workflow.node import END, ForkNode, RouteNode, SignalNode, TaskNode
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.strategies import (
    CallLog,
    Delay,
    Expected,
    Fork,
    Form,
    Loop,
    Plan,
    Route,
    Task,
    build,
    expected,
    plans,
)
from sayiir_runtime.memory import InMemoryBackend

INSTANCE = InstanceId("it")


class PlainDriver:
    """Run one instance step by step on a memory backend, in an order that the test chooses."""

    def __init__(self, workflow: Workflow[Any, Any], value: Any) -> None:
        self.workflow = workflow
        self.definition = workflow.definition
        self.clock = VirtualClock()
        self.backend = InMemoryBackend(clock=self.clock)
        self.session = SessionId("driver")
        self.run = RunId(str(uuid.UUID(int=1)))
        self.backend.sessions.register(
            NewSession(session_id=self.session, worker_id="w", ttl=timedelta(days=1))
        )
        self.backend.definitions.save(self.definition)
        first = self.definition.nodes[0]
        self.backend.instances.create(
            [
                NewInstance(
                    instance_id=INSTANCE,
                    run_id=self.run,
                    identity=self.definition.identity,
                    policy_fingerprint=self.definition.policy_fingerprint,
                    input=json.dumps(value).encode(),
                    node=0,
                    group=first.group,
                    priority=first.priority,
                )
            ]
        )

    @property
    def head(self) -> Head:
        """Return the stored head."""
        return self.backend.instances.load(INSTANCE)

    def finish(self, choose: Any) -> None:
        """Claim one due cursor after the other, and move the clock where none is due."""
        lanes = {Lane(self.definition.identity, node.group) for node in self.definition.nodes}
        lanes.add(Lane(self.definition.identity, ""))
        for number in range(10_000):
            claims = self.backend.claims.claim(self.session, number, lanes, 100)
            if not claims:
                due = [it.available_at for it in self.head.cursors.values() if not it.held]
                instants = [instant for instant in due if instant is not None]
                if not instants:
                    return
                self.clock.advance_to(max(self.clock.now(), min(instants)))
                continue
            chosen = choose(claims)
            others = [claim.lease for claim in claims if claim is not chosen]
            self.backend.claims.release(others)
            outcome = self.outcome(chosen)
            checkpoint = advance(self.definition, chosen, outcome, now=self.clock.now(), keep=False)
            self.backend.checkpoints.commit([checkpoint])
        raise AssertionError("the run does not come to an end")

    def outcome(self, claim: Claim) -> Outcome:
        """Find out what happens at a claimed cursor."""
        cursor = claim.cursor
        node = None if cursor.node == END else self.definition.nodes[cursor.node]
        if cursor.state is CursorState.SLEEPING:
            return Woken()
        if cursor.state is CursorState.SIGNALLED:
            return Signalled()
        if cursor.state is CursorState.AWAITING:
            assert isinstance(node, SignalNode)
            return Expired(None if node.on_timeout is None else node.on_timeout.encode())
        if not isinstance(node, TaskNode):
            return Entered()
        return self.call(claim, node)

    def call(self, claim: Claim, node: TaskNode) -> Outcome:
        """Run a body under its context."""
        cursor = claim.cursor
        facts = (
            self.workflow,
            TaskMetadata(),
            node,
            claim.lease,
            cursor.turns,
            cursor.attempt - cursor.fresh_from + 1,
            None,
        )
        token = set_task_context(facts)
        try:
            result = self.workflow.function(node.ordinal)(self.value(cursor.input))
            if inspect.iscoroutine(result):
                result = asyncio.run(result)
        except Exception as error:  # noqa: BLE001
            return Failed(error=ErrorRecord(path=node.path, type=_name(error), message=str(error)))
        finally:
            reset_task_context(token)
        decided = LoopResult.from_value(result) if node.loop is not None else None
        plain = result if decided is None else decided.value
        return Succeeded(
            output=json.dumps(plain).encode(),
            verdict=None if decided is None else decided.verdict,
            key=result if node.is_key else None,
        )

    def value(self, ref: Ref) -> Any:
        """Return the decoded value that a reference names."""
        results = self.backend.results
        match ref:
            case JoinRef():
                values = results.branches(self.run, ref)
                scopes = self.definition.scopes[ref.first : ref.first + ref.count]
                return {
                    scope.name: self.value(value)
                    for scope, value in zip(scopes, values, strict=True)
                    if value is not None
                }
            case RoutedRef():
                return {"branch": self.value(ref.key), "result": self.value(ref.value)}
            case StepRef():
                row = results.step(self.run, ref.node, ref.turns)
                assert row is not None
                if row.record.source is not None:
                    return self.value(row.record.source)
            case _:
                pass
        (payload,) = results.payloads(INSTANCE, self.run, [ref])
        assert payload is not None
        return json.loads(payload)


def _name(error: Exception) -> str:
    return type(error).__name__


@settings(deadline=None)
@given(plan=plans(signals=True, tags=("gpu",)), value=st.integers(0, 99), data=st.data())
def test_the_engine_leads_to_what_the_interpreter_expects(
    plan: Plan, value: int, data: st.DataObject
) -> None:
    """Whatever cursor goes on first, status, output, errors and number of calls are as planned."""
    calls = CallLog()
    outcome = expected(plan, value)
    driver = PlainDriver(build(plan, calls), value)
    for name, payload in outcome.signals:
        driver.backend.signals.send(INSTANCE, name, str(payload).encode())

    driver.finish(lambda claims: data.draw(st.sampled_from(claims)))

    assert outcome.status == status_of(driver.head).value
    header = driver.head.header
    if outcome.status == "completed":
        assert header.output is not None
        assert outcome.output == driver.value(header.output)
        assert outcome.calls == len(calls)
    else:
        assert header.error is not None
        assert outcome.explains(header.error.text), header.error
    assert [] == calls.repeated()


@given(plans(signals=True))
def test_a_plan_prints_as_the_code_that_makes_it(plan: Plan) -> None:
    """A failing example can be pasted into a test."""
    import sayiir_pytest.strategies as kit
    from sayiir_core.policy import OnMax

    names: dict[str, Any] = {**vars(kit), "OnMax": OnMax}

    assert plan == eval(repr(plan), names)  # noqa: S307


@given(plans(failures=False), st.integers(0, 99))
def test_plans_without_failures_complete(plan: Plan, value: int) -> None:
    """Leave out whatever can fail when asked to."""
    assert "completed" == expected(plan, value).status


def test_plans_shrink_to_the_least() -> None:
    """Find one element; and one task that fails, with at most one more beside it."""
    least = find(plans(), lambda _: True)
    assert least in [Plan(elements=(Task(),)), Plan(elements=(Delay(),))]
    failing = find(plans(), lambda plan: expected(plan, 0).status == "failed")
    assert Task(fails=1, failure="f0") in failing.elements
    assert len(failing.elements) <= 2


@pytest.mark.parametrize(
    ("kind", "node"), [("Fork", ForkNode), ("Route", RouteNode), ("Delay", object)]
)
def test_plans_hold_every_kind_of_element(kind: str, node: type) -> None:
    """Draw composites and delays, and build them as what they are."""
    plan = find(plans(), lambda plan: f"{kind}(" in repr(plan))

    definition = build(plan, CallLog()).definition

    assert any(isinstance(it, node) for it in definition.nodes)


def test_the_interpreter_knows_what_each_element_does() -> None:
    """Work one plan out by hand, so that the oracle itself is pinned."""
    plan = Plan(
        elements=(
            Task(add=1),
            Delay(milliseconds=1),
            Fork(branches=((Task(add=2),), (Task(form=Form.NOTHING),)), join=Task(form=Form.LIST)),
            Route(arms=((Task(),),), default=(Task(add=1, fails=1, retries=1),), strays=1),
            Loop(body=(Task(form=Form.NOTHING),), until=3, cap=2),
        )
    )

    outcome = expected(plan, 0)

    assert Expected(status="completed", output=None, calls=outcome.calls) == outcome
    # One task; two branches and a join; a key and one arm; two turns: and perhaps one retry.
    assert outcome.calls in {1 + 3 + 2 + 2, 1 + 3 + 3 + 2}


def test_a_generated_body_tells_when_no_driver_runs_it() -> None:
    """Fail with a sentence instead of a puzzle."""
    workflow = build(Plan(elements=(Task(),)), CallLog())

    with pytest.raises(AssertionError, match="outside of any driver"):
        workflow.function(0)(1)
    assert get_task_context() is None
