"""The workflows of the pool's workloads, the same in every process."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from chain import inc

from sayiir import Flow

STEPS = 4
PAUSE = 0.005
BRANCHES = 100


async def inc_async(x: int) -> int:
    return x + 1


def slow(x: int) -> int:
    time.sleep(PAUSE)
    return x + 1


async def slow_async(x: int) -> int:
    await asyncio.sleep(PAUSE)
    return x + 1


def total(branches: dict[str, int]) -> int:
    return sum(branches.values())


def announce(number: int) -> int:
    """Tell on the standard output that a body has started, and when."""
    sys.stdout.write(f"{number} {time.monotonic_ns()}\n")
    sys.stdout.flush()
    return number


def _chain(name: str, function: Any, steps: int = STEPS) -> Any:
    flow: Any = Flow(name)
    for number in range(steps):
        flow = flow.then(function, name=f"s{number}")
    return flow.build()


def _fork(name: str, branches: int) -> Any:
    fork: Any = Flow[int, Any](name).then(inc, name="first").fork()
    for number in range(branches):
        fork = fork.branch(inc, name=f"b{number}")
    return fork.join(total).build()


def _parked() -> Any:
    flow: Any = Flow("parked")
    return flow.wait_for_signal("go").then(inc, name="last").build()


def _delayed() -> Any:
    flow: Any = Flow("delayed")
    return flow.delay("wait", "1d").then(inc, name="last").build()


FLOWS: dict[str, Any] = {
    "sync": _chain("sync", inc),
    "sync1": _chain("sync1", inc, 1),
    "sync10": _chain("sync10", inc, 10),
    "sync20": _chain("sync20", inc, 20),
    "async": _chain("async", inc_async),
    "slow": _chain("slow", slow),
    "slow-async": _chain("slow-async", slow_async),
    "fork": _fork("fork", 4),
    "fan": _fork("fan", BRANCHES),
    "announce": Flow[int, Any]("announce").then(announce).build(),
    "parked": _parked(),
    "delayed": _delayed(),
}
