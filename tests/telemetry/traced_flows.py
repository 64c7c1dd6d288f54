"""Flows for processes that the tests start and kill."""

from __future__ import annotations

import os
import time
from pathlib import Path

from opentelemetry import trace

from sayiir import Flow, Workflow, task

FOLDER = Path(os.environ.get("TRACED_FOLDER", "."))


def _mark(name: str) -> None:
    (FOLDER / name).touch()


@task
def reserve(order: int) -> int:
    """Do something that has a span of its own."""
    with trace.get_tracer("shop").start_as_current_span("query the stock"):
        return order


@task
async def charge(order: int) -> int:
    """Do the same in a coroutine."""
    with trace.get_tracer("shop").start_as_current_span("call the bank"):
        return order


@task
def pack(order: int) -> int:
    """Hang in the process that comes first, so that it can be killed there."""
    try:
        (FOLDER / "hangs").touch(exist_ok=False)
    except FileExistsError:
        return order
    _mark(f"hangs-in-{os.getpid()}")
    time.sleep(600)
    return order


@task
def send(order: int) -> int:
    """End it."""
    return order + 1


def make() -> Workflow[int, int]:
    """Return the flow."""
    return Flow[int, int]("order").then(reserve).then(charge).then(pack).then(send).build()


workflow = make()
