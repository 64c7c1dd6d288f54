"""An order workflow as a user would write it; its services are never called by the tests."""

from __future__ import annotations

import asyncio
from typing import Any

from sayiir import Flow, RetryPolicy, Workflow, task

Order = dict[str, Any]


class CardDeclinedError(Exception):
    """The customer has to give another card."""


@task(
    retries=RetryPolicy(max_retries=5, initial_delay_secs=10, give_up_on=(CardDeclinedError,)),
    timeout="30s",
)
def charge(order: Order) -> Order:
    """Call the payment service."""
    raise ConnectionError("there is no payment service in a test")


@task
def reserve(order: Order) -> Order:
    """Hold the goods."""
    return {"held": order["item"]}


@task
def confirm(parts: dict[str, Any]) -> Order:
    """Bring both together."""
    return {**parts["charge"], **parts["reserve"]}


@task
def route_by_size(order: Order) -> str:
    """Choose who has to agree."""
    return "large" if order["amount"] > 1000 else "small"


@task
async def print_label(_: Any) -> str:
    """Wait for the printer, which takes its time."""
    await asyncio.sleep(90)
    return "label"


@task
def ship(parts: Any) -> str:
    """Hand it over."""
    return f"shipped with {parts['result']}"


def build() -> Workflow[Order, str]:
    """Return the workflow: charge and reserve, cool down, ask for large orders, ship."""
    approval = Flow[Order, Any]("approval").wait_for_signal("approval", timeout="2d").build()
    return (
        Flow[Order, Order]("order")
        .fork()
        .branch(charge)
        .branch(reserve)
        .join(confirm)
        .delay("cool-down", "1d")
        .route(route_by_size, keys=["large", "small"])
        .branch("large", approval, print_label)
        .branch("small", print_label)
        .done()
        .then(ship)
        .build()
    )


ORDERS = build()
