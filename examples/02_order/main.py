"""An order: payment, stock and parcel side by side, approval by a signal, confirmation.

Everything is kept in a SQLite file. Each act opens the file anew, as a new process would.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

from sayiir import (
    Flow,
    RetryPolicy,
    SQLiteBackend,
    WorkflowStatus,
    resume_workflow,
    run_durable_workflow,
    send_signal,
    task,
)

Order = dict[str, Any]


@task(retries=RetryPolicy(max_retries=3, initial_delay_secs=0.2), timeout="10s")
def authorize_payment(order: Order) -> str:
    return f"{order['amount']:.2f} EUR authorised"


@task
def reserve_inventory(order: Order) -> str:
    return f"{order['count']} × {order['item']} reserved"


@task
def book_shipping(order: Order) -> str:
    return f"parcel P-{order['id']} booked"


@task
def ask_for_approval(order: Order) -> str:
    return f"please approve {order['id']}"


@task
def summarize(parts: dict[str, Any]) -> dict[str, Any]:
    done = [parts[name] for name in ("payment", "inventory", "shipping")]
    return {"done": done, **parts["approval"]}


@task
def verdict(summary: dict[str, Any]) -> str:
    return "approved" if summary["approved"] else "declined"


@task
def confirm(summary: dict[str, Any]) -> str:
    return f"confirmed, approved by {summary['by']}: {', '.join(summary['done'])}"


@task
def release(summary: dict[str, Any]) -> str:
    return f"declined ({summary['by']}), undone: {', '.join(summary['done'])}"


approval = (
    Flow[Order, Order]("approval")
    .then(ask_for_approval)
    .wait_for_signal(
        "approval", timeout="2s", on_timeout={"approved": False, "by": "nobody answered in time"}
    )
    .build()
)

workflow = (
    Flow[Order, Order]("order")
    .fork()
    .branch(authorize_payment, name="payment")
    .branch(reserve_inventory, name="inventory")
    .branch(book_shipping, name="shipping")
    .branch(approval, name="approval")
    .join(summarize)
    .route(verdict, keys=["approved", "declined"])
    .branch("approved", confirm)
    .branch("declined", release)
    .done()
    .build()
)


def place(database: Path, order: Order) -> WorkflowStatus:
    """Run an order until it waits for its approval."""
    print(f"Order {order['id']}: {order['count']} × {order['item']}")
    status = run_durable_workflow(workflow, order["id"], order, SQLiteBackend(database))
    print(f"  {status.status}: payment, inventory and shipping are done,")
    print(f"  and it waits for the signal {status.signal_name!r}. The process may end here.")
    return status


def finish(database: Path, instance_id: str) -> None:
    """Go on with an order as soon as its signal, or its deadline, is there."""
    backend = SQLiteBackend(database)
    while (status := resume_workflow(workflow, instance_id, backend)).is_awaiting_signal():
        time.sleep(0.1)
    print(f"  {status.status}: {status.output['result']}\n")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder, "orders.db")

        place(database, {"id": "A-17", "item": "desk lamp", "count": 2, "amount": 59.8})
        print("  Grace approves it.")
        answer = {"approved": True, "by": "Grace"}
        send_signal("A-17", "approval", answer, SQLiteBackend(database))
        finish(database, "A-17")

        place(database, {"id": "A-18", "item": "grand piano", "count": 1, "amount": 48_000})
        print("  Nobody approves it, and after two seconds ...")
        finish(database, "A-18")


if __name__ == "__main__":
    main()
