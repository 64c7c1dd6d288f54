"""An order workflow for the tests of the engine."""

from __future__ import annotations

import asyncio
from typing import Any

from sayiir import Flow, RetryPolicy, Workflow, task

Order = dict[str, Any]


class GatewayError(Exception):
    """The payment service has a bad day."""


@task(retries=RetryPolicy(max_retries=3, initial_delay_secs=1), timeout="30s")
def charge(order: Order) -> str:
    return f"charged {order['amount']} EUR"


@task
def reserve(order: Order) -> str:
    return f"reserved {order['item']}"


@task
def summarize(results: dict[str, str]) -> str:
    return ", ".join(results.values())


@task
def ship(answer: dict[str, Any]) -> str:
    return f"shipped, approved by {answer['by']}"


@task(timeout="2h")
async def track(number: int) -> str:
    await asyncio.sleep(3600)
    return f"parcel {number} arrived"


ORDER: Order = {"item": "lamp", "amount": 30}


def order_flow() -> Workflow[Order, str]:
    """Return a fork, a delay of three days, and a signal awaited for two."""
    return (
        Flow[Order, Order]("order")
        .fork()
        .branch(charge)
        .branch(reserve)
        .join(summarize)
        .delay("cool-down", "3d")
        .wait_for_signal("approval", timeout="2d")
        .then(ship)
        .build()
    )
