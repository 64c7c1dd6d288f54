"""The workflow of an order, and a ledger that tells which worker did what.

Nothing here knows of workers: the same workflow runs in one process with ``run_durable_workflow``.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Any, TypedDict

from sayiir import Flow, RetryPolicy, get_task_context, task

FOLDER = Path(os.environ.get("ORDERS_FOLDER", "."))
WORKER = os.environ.get("ORDERS_WORKER", "this process")
LARGE = 900


class Order(TypedDict):
    """What a customer wants."""

    id: str
    item: str
    amount: int


def work(step: str) -> None:
    """Note who does the step, and take as long as a service would."""
    line = f"{WORKER} {step}\n"
    with (FOLDER / "ledger").open("a") as ledger:
        ledger.write(line)
    time.sleep(0.02)


@task(retries=RetryPolicy(max_retries=3, initial_delay_secs=0.1), timeout="10s")
def pay(order: Order) -> str:
    """Ask the bank, which takes no payment twice: a request that is repeated has the same key."""
    work("pay")
    context = get_task_context()
    assert context is not None
    key = hashlib.sha256(context.idempotency_key.encode()).hexdigest()
    bank = FOLDER / "bank"
    bank.mkdir(exist_ok=True)
    (bank / key).write_text(f"{order['amount']} EUR")
    return f"{order['amount']} EUR paid"


@task
def reserve(order: Order) -> str:
    work("reserve")
    return f"{order['item']} reserved"


@task(tags=["cpu"])
def draw_label(order: Order) -> str:
    """Only workers with the tag ``cpu`` get this one."""
    work("draw_label")
    return f"label {order['id']}"


@task
def pack(parts: dict[str, Any]) -> dict[str, Any]:
    work("pack")
    return {"paid": int(parts["payment"].split()[0]), "done": list(parts.values())}


@task
def size(parcel: dict[str, Any]) -> str:
    return "large" if parcel["paid"] >= LARGE else "small"


@task
def ship(_parcel: dict[str, Any]) -> str:
    work("ship")
    return "shipped"


@task
def ship_approved(approval: dict[str, Any]) -> str:
    work("ship")
    return f"shipped, approved by {approval['by']}"


approved = Flow("approved").wait_for_signal("approval", timeout="1h").then(ship_approved).build()

order = (
    Flow[Order, Any]("order")
    .fork()
    .branch(pay, name="payment")
    .branch(reserve, name="stock")
    .branch(draw_label, name="label")
    .join(pack)
    .delay("cooling-off", "1s")
    .route(size, keys=["small", "large"])
    .branch("small", ship)
    .branch("large", approved)
    .done()
    .build()
)
