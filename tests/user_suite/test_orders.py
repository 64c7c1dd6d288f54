"""Ten tests of an order workflow, as its author would write them."""

from __future__ import annotations

import asyncio
import time

import orders
import pytest
from orders import ORDERS, CardDeclinedError

from sayiir import SayiirError, WorkflowClient
from sayiir_pytest.engine import HANGS, Engine, SayiirSleepWarning, ok

LAMP = {"item": "lamp", "amount": 30}
PIANO = {"item": "piano", "amount": 9000}


@pytest.fixture
def engine(sayiir_engine: Engine) -> Engine:
    """Give an engine whose orders are paid."""
    sayiir_engine.stub(orders.charge, lambda order: {"amount": order["amount"], "paid": True})
    return sayiir_engine


def test_a_small_order_is_shipped_without_questions(engine: Engine) -> None:
    order = engine.run(ORDERS, LAMP)

    assert order.output == "shipped with label"
    assert order.tasks["confirm"].output == {"amount": 30, "paid": True, "held": "lamp"}


def test_a_large_order_waits_for_its_approval(engine: Engine) -> None:
    order = engine.start(ORDERS, PIANO)
    assert order.parked_at == "cool-down"
    engine.advance("1d")
    assert order.status == "awaiting_signal"
    order.assert_not_started("large/print_label")

    order.signal("approval", {"by": "Ada", "limit": 10_000})

    order.assert_signalled("approval", {"by": "Ada"})
    assert order.output == "shipped with label"


def test_a_large_order_that_nobody_approves_fails_after_three_days(engine: Engine) -> None:
    order = engine.run(ORDERS, PIANO)

    assert order.status == "failed"
    assert "SignalTimeoutError" in str(order.error)
    assert order.history[-1].after.days == 3


def test_a_payment_service_with_a_bad_day_is_asked_again(sayiir_engine: Engine) -> None:
    outcomes = [ConnectionError("down"), HANGS, ok({"amount": 30})]
    charge = sayiir_engine.stub(orders.charge, raises=outcomes)

    order = sayiir_engine.start(ORDERS, LAMP)

    assert order.parked_at == "cool-down"
    assert order.tasks["charge"].attempts == charge.count == 3


def test_a_declined_card_fails_at_once(sayiir_engine: Engine) -> None:
    charge = sayiir_engine.stub("charge", raises=CardDeclinedError("no"))

    order = sayiir_engine.run(ORDERS, LAMP)

    assert (order.error, charge.count) == ("CardDeclinedError: no", 1)


def test_a_failed_order_goes_on_with_another_card(sayiir_engine: Engine) -> None:
    sayiir_engine.stub(orders.charge, raises=CardDeclinedError("no"))
    reserve = sayiir_engine.spy(orders.reserve)
    order = sayiir_engine.run(ORDERS, LAMP)

    sayiir_engine.stub(orders.charge, returns={"amount": 30})
    order.retry()

    assert order.parked_at == "cool-down"
    assert reserve.count == 1


def test_an_order_can_be_cancelled_while_it_cools_down(engine: Engine) -> None:
    order = engine.start(ORDERS, LAMP)

    order.cancel("changed my mind", by="customer")
    engine.advance("30d")

    assert order.status == "cancelled"
    order.assert_not_started(orders.ship)


def test_an_order_in_an_event_loop(engine: Engine) -> None:
    async def label(_: object) -> str:
        return "async label"

    async def scenario() -> str:
        engine.stub("small/print_label", label)
        order = await engine.run_async(ORDERS, LAMP)
        return str(order.output)

    assert asyncio.run(scenario()) == "shipped with async label"


def test_code_that_submits_is_served_by_the_engine(engine: Engine) -> None:
    WorkflowClient(engine.backend).submit(ORDERS, "web-1", LAMP)

    engine.serve(ORDERS)
    engine.advance("2d")

    assert engine.instance("web-1").output == "shipped with label"


def test_mistakes_are_told(engine: Engine) -> None:
    with pytest.raises(SayiirError, match="did you mean 'fork_0/charge/charge'"):
        engine.stub("chrage", returns=1, workflow=ORDERS)
    engine.stub(orders.ship, lambda _: time.sleep(0.001) or "late")
    with pytest.warns(SayiirSleepWarning, match="task 'ship'"):
        assert engine.run(ORDERS, LAMP).output == "late"
