"""Stubs and spies stand at the binding of one engine, checked against what they stand in for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from sayiir import (
    Flow,
    InMemoryBackend,
    LoopResult,
    WorkflowClient,
    get_task_context,
    run_workflow,
    task,
)
from sayiir_core.errors import NodeLookupError
from sayiir_core.ports.backend import Backend
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.engine import HANGS, MISSING, Engine, StubError, fails, ok
from tests.engine.shop import ORDER, GatewayError, charge, order_flow, reserve, ship, track


def test_a_sequence_of_outcomes_is_given_in_turn_and_the_last_one_stays(
    sayiir_engine: Engine,
) -> None:
    """Twice an error, then a value, and that again for the next instance."""
    stub = sayiir_engine.stub(charge, raises=[GatewayError, GatewayError("twice"), ok("paid")])

    first = sayiir_engine.start(order_flow(), ORDER)
    second = sayiir_engine.start(order_flow(), {"item": "desk", "amount": 250})

    assert (3, 1) == (first.tasks["charge"].attempts, second.tasks["charge"].attempts)
    assert ["paid", "paid"] == [it.tasks["charge"].output for it in (first, second)]
    assert [GatewayError, GatewayError, type(None), type(None)] == [
        type(call.error) for call in stub.calls
    ]
    assert [1, 2, 3, 1] == [call.attempt for call in stub.calls]
    assert [30, 30, 30, 250] == [value["amount"] for value in stub.values]


def test_a_stub_touches_neither_the_workflow_nor_its_functions(
    sayiir_engine: Engine, sayiir_clock: VirtualClock
) -> None:
    """Another engine, and any other driver, calls what the workflow says."""
    flow = Flow[dict[str, Any], str]("plain").then(charge).build()
    functions = flow.functions
    sayiir_engine.stub(charge, returns="stubbed")

    stubbed = sayiir_engine.run(flow, ORDER)
    with Engine(InMemoryBackend(clock=sayiir_clock), sayiir_clock) as other:
        plain = other.run(flow, ORDER)

    assert ("stubbed", "charged 30 EUR") == (stubbed.output, plain.output)
    assert "charged 30 EUR" == run_workflow(flow, ORDER) == charge(ORDER)
    assert functions == flow.functions == (charge,)


def test_a_stand_in_is_called_with_the_value_and_knows_its_context(sayiir_engine: Engine) -> None:
    """It runs where the task would, and its result is encoded as the task's is."""

    def pay(order: dict[str, Any]) -> str:
        context = get_task_context()
        assert context is not None
        return f"{context.task_id} {order['amount']}"

    stub = sayiir_engine.stub("fork_0/charge/charge", pay)

    order = sayiir_engine.start(order_flow(), ORDER)

    assert "charge 30" == order.tasks[charge].output
    assert (ORDER, "charge 30") == (stub.last.value, stub.last.output)


def test_a_spy_sees_values_attempts_and_outputs(sayiir_engine: Engine) -> None:
    """Of the function itself, of a stub, and of what raises."""
    plain, stubbed = sayiir_engine.spy("reserve"), sayiir_engine.spy(charge)
    sayiir_engine.stub(charge, raises=[GatewayError, ok("paid")])

    order = sayiir_engine.start(order_flow(), ORDER)

    assert [(ORDER, 1, "reserved lamp")] == [
        (call.value, call.attempt, call.output) for call in plain.calls
    ]
    assert [(1, MISSING), (2, "paid")] == [(call.attempt, call.output) for call in stubbed.calls]
    assert (order.instance_id, "fork_0/charge/charge") == (
        stubbed.last.instance_id,
        stubbed.last.path,
    )
    assert ["paid"] == stubbed.outputs


def test_a_spy_that_saw_nothing_says_so(sayiir_engine: Engine) -> None:
    """Instead of an index error."""
    spy = sayiir_engine.spy(ship)

    sayiir_engine.start(order_flow(), ORDER)

    assert (0, []) == (spy.count, spy.values)
    with pytest.raises(AssertionError, match="task 'ship' was never called"):
        assert spy.last


def test_a_call_that_takes_longer_than_the_timeout_is_timed_out(sayiir_engine: Engine) -> None:
    """In virtual time, at the limit; the attempt is retried by the policy."""
    began = sayiir_engine.clock.now()
    stub = sayiir_engine.stub(charge, raises=[ok(1, takes="31s"), HANGS, ok("paid", takes="29s")])

    order = sayiir_engine.start(order_flow(), ORDER)

    seconds = (sayiir_engine.clock.now() - began).total_seconds()
    assert 30 + 1 + 30 + 2 + 29 == pytest.approx(seconds, abs=1e-5)
    assert "paid" == order.tasks["charge"].output
    assert ["TaskTimeoutError", "TaskTimeoutError", "NoneType"] == [
        type(call.error).__name__ for call in stub.calls
    ]


def test_two_branches_that_take_an_hour_take_one_hour(sayiir_engine: Engine) -> None:
    """Bodies overlap in virtual time, as on a real worker."""
    began = sayiir_engine.clock.now()
    sayiir_engine.stub(charge, raises=fails(GatewayError, takes="20s"))
    sayiir_engine.stub(reserve, returns="held", takes="1h")

    order = sayiir_engine.start(order_flow(), ORDER)

    assert "failed" == order.status
    assert 3600 == (sayiir_engine.clock.now() - began).total_seconds()
    assert "held" == order.tasks["reserve"].output


def test_an_async_task_is_stubbed_by_values_or_by_an_async_function(sayiir_engine: Engine) -> None:
    """Either way it is awaited like the task."""
    flow = Flow[int, str]("parcel").then(track).build()

    async def quick(number: int) -> str:
        return f"quick {number}"

    sayiir_engine.stub(track, raises=[ok("lost", takes="3h"), ok("found")], workflow=flow)
    lost = sayiir_engine.run(flow, 1)
    sayiir_engine.stub(track, quick)

    assert "TaskTimeoutError" in str(lost.error)
    assert "quick 2" == sayiir_engine.run(flow, 2).output


def test_loop_verdicts_and_route_keys_are_stubbed_like_any_value(sayiir_engine: Engine) -> None:
    """What decides is unpacked from what the stub returns."""

    @task
    def poll(x: int) -> LoopResult[int]:
        raise AssertionError("stubbed")

    def kind(_: int) -> str:
        raise AssertionError("stubbed")

    flow = (
        Flow[int, int]("deciding")
        .loop(poll)
        .route(kind, keys=["a", "b"])
        .branch("a", lambda x: x + 1, name="a")
        .branch("b", lambda x: x + 2, name="b")
        .done()
        .build()
    )
    polls = sayiir_engine.stub(poll, raises=[ok(LoopResult.again(1)), ok(LoopResult.done(10))])
    sayiir_engine.stub(kind, returns="b")

    assert {"branch": "b", "result": 12} == sayiir_engine.run(flow, 0).output
    assert [(0,), (1,)] == [call.turns for call in polls.calls]


class Receipt(BaseModel):
    """What a payment service answers."""

    total: int
    paid_at: datetime


@task
def pay(total: int) -> Receipt:
    raise AssertionError("stubbed")


@task
def book(receipt: Receipt) -> str:
    return f"{receipt.total} at {receipt.paid_at:%H:%M}"


def test_typed_values_pass_by_the_annotations_of_the_task_that_is_replaced(
    sayiir_engine: Engine,
) -> None:
    """A model is stored and arrives typed, and each consumer gets one of its own."""
    receipt = Receipt(total=3, paid_at=datetime(2026, 1, 1, 9, 30, tzinfo=UTC))
    sayiir_engine.stub(pay, lambda total: receipt.model_copy(update={"total": total}))
    booking = sayiir_engine.spy(book)

    run = sayiir_engine.run(Flow[int, Any]("typed").then(pay).then(book).build(), 5)

    assert "5 at 09:30" == run.output
    assert Receipt(total=5, paid_at=receipt.paid_at) == booking.last.value
    assert {"total": 5, "paid_at": "2026-01-01T09:30:00Z"} == run.tasks[pay].output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, r"needs exactly one of"),
        ({"returns": 1, "raises": ValueError}, r"returns= or raises=, not both"),
        ({"stand_in": lambda _: 1, "returns": 1}, r"needs exactly one of"),
        ({"raises": []}, r"names no outcome"),
        ({"raises": [ValueError, 3]}, r"write ok\(3\) for a call that returns it"),
        ({"raises": UnicodeDecodeError}, r"give an instance, as UnicodeDecodeError\(…\)"),
        ({"stand_in": "paid"}, r"'charge' is no function but 'paid'; .* write returns='paid'"),
        ({"stand_in": 5}, r"'charge' is no function but 5"),
        ({"stand_in": {}}, r"'charge' is no function but {}"),
    ],
)
def test_a_stub_that_makes_no_sense_is_refused_at_once(
    sayiir_engine: Engine, arguments: dict[str, Any], complaint: str
) -> None:
    """With the remedy in its text."""
    with pytest.raises(StubError, match=complaint):
        sayiir_engine.stub(charge, **arguments)


async def _async_stand_in(_: Any) -> str:
    return ""


@pytest.mark.parametrize(
    ("target", "arguments", "complaint"),
    [
        ("ship", {"stand_in": _async_stand_in}, r"'ship' is a plain function .* 'def'"),
        ("track", {"stand_in": lambda _: ""}, r"'track' is async .* 'async def'"),
        ("ship", {"stand_in": lambda: ""}, r"'ship' takes one value, .* parameters \(value\)"),
        ("ship", {"stand_in": lambda _a, _b: ""}, r"'ship' takes one value"),
        ("tick", {"stand_in": lambda _: ""}, r"'tick' takes nothing, .* parameters \(\)"),
        ("ship", {"returns": object()}, r"'ship' cannot return <object .* plain JSON value"),
        ("ship", {"raises": HANGS}, r"'ship' has no timeout, .* give the task a timeout="),
    ],
)
def test_a_stub_that_does_not_fit_its_task_is_refused(
    sayiir_engine: Engine, target: str, arguments: dict[str, Any], complaint: str
) -> None:
    """At once where the workflow is named, and else when the engine next runs something."""

    def tick() -> int:
        return 1

    flow = Flow[Any, Any]("fit").then(ship).then(track).then(tick).build()

    with pytest.raises(StubError, match=complaint):
        sayiir_engine.stub(target, **arguments, workflow=flow)
    sayiir_engine.stub(target, **arguments)
    with pytest.raises(StubError, match=complaint):
        sayiir_engine.run(flow, {"by": "Ada"})


def test_a_stub_of_an_unknown_task_is_an_error_that_lists_the_tasks(sayiir_engine: Engine) -> None:
    """A misspelt stub must not let the real thing be called."""
    calls = sayiir_engine.spy(charge)
    sayiir_engine.stub("chrage", returns="paid")

    with pytest.raises(NodeLookupError, match="did you mean 'fork_0/charge/charge'") as caught:
        sayiir_engine.run(order_flow(), ORDER)

    assert "fork_0/charge/charge" in caught.value.candidates
    assert 0 == calls.count
    with pytest.raises(NodeLookupError, match="no task of workflow 'order' calls track; its tasks"):
        sayiir_engine.stub(track, returns="", workflow=order_flow())


def test_a_path_that_names_two_tasks_is_ambiguous_and_a_function_means_all(
    sayiir_engine: Engine,
) -> None:
    """One function at two places is stubbed at both, or at one by its path."""
    flow = (
        Flow[int, Any]("twice")
        .fork()
        .branch(int, str, name="left")
        .branch(int, str, name="right")
        .join(lambda found: found, name="join")
        .build()
    )

    with pytest.raises(NodeLookupError, match=r"'str' is ambiguous .* 'fork_0/left/str'"):
        sayiir_engine.stub("str", returns="", workflow=flow)
    sayiir_engine.stub(str, returns="both")
    assert {"left": "both", "right": "both"} == sayiir_engine.run(flow, 1).output
    sayiir_engine.stub("right/str", returns="one")
    assert {"left": "both", "right": "one"} == sayiir_engine.run(flow, 1).output


def test_a_wrong_stub_is_told_before_anything_is_stored(sayiir_engine: Engine) -> None:
    """The id is free for the next try."""
    sayiir_engine.stub("shp", returns="")

    with pytest.raises(NodeLookupError):
        sayiir_engine.run(order_flow(), ORDER, "mine")

    assert [] == list(sayiir_engine.client.list())


def test_a_stub_is_bound_to_what_a_workflow_is_and_not_to_the_object(
    sayiir_engine: Engine,
) -> None:
    """The workflow that it was restricted to may be built anew."""
    sayiir_engine.stub(charge, returns="stubbed", workflow=order_flow())

    assert "stubbed" == sayiir_engine.start(order_flow(), ORDER).tasks[charge].output


def test_a_call_of_a_replaced_run_takes_nothing_from_that_of_the_new_one(
    sayiir_engine: Engine, sayiir_backend: Backend
) -> None:
    """Both are under way at once, with one instance id, path and attempt."""
    stub = sayiir_engine.stub(charge, raises=[ok("old", takes="20s"), ok("new", takes="25s")])
    flow = Flow[Any, Any]("replaced").then(charge).build()
    sayiir_engine.serve(flow)
    WorkflowClient(sayiir_backend).submit(flow, "one", ORDER)
    sayiir_engine.advance("10s")

    run = sayiir_engine.start(flow, ORDER, "one", conflict_policy="terminate_existing")

    assert "new" == run.output
    assert ["old", "new"] == stub.outputs
    assert [1, 1] == [call.attempt for call in stub.calls]


def test_a_stub_for_another_workflow_waits_for_it(sayiir_engine: Engine) -> None:
    """One engine may run several workflows, and a stub is meant for those that have its task."""
    parcel = Flow[int, str]("parcel").then(track).build()
    sayiir_engine.stub(track, returns="stubbed", workflow=parcel)

    assert "waiting" == sayiir_engine.start(order_flow(), ORDER).status
    assert "stubbed" == sayiir_engine.run(parcel, 1).output
