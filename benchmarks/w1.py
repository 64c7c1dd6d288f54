"""W1: ten plain steps in process, without a store. W1b: the same, passing a 1 KiB document.

The row that has a number as its target is of processor time, which other load does not lengthen.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import orjson
from chain import STEPS, chain, document, inc, same
from guests import Guests, guests
from measure import Result, Settings, Side, Target, seconds, take_turns

from sayiir import run_workflow


def w1(settings: Settings) -> list[Result]:
    """Measure the cost of a step that does nothing, against plain calls."""
    count = settings.size(4_000)
    with guests(settings, "w1", count=count) as peers:
        times = take_turns(settings.repeats, calling(count), peers)
    return [
        _result("W1", times, peers, Target(of="sayiir-1.0.0", at_most=0.25)),
        _computing(settings, count),
    ]


def _computing(settings: Settings, count: int) -> Result:
    return Result(
        workload="W1",
        what="in process, computing",
        unit="µs/step",
        times=take_turns(settings.repeats, calling(count, time.process_time)),
        target=Target(of="itself", at_most=1.0),
    )


def w1b(settings: Settings) -> list[Result]:
    """Measure the cost of passing a document, against encoding and decoding it once per step."""
    count = settings.size(1_000)
    with guests(settings, "w1b", count=count) as peers:
        times = take_turns(settings.repeats, passing(count), peers)
    results = [_result("W1b", times, peers, Target(of="limit", at_most=1.5))]
    if "sayiir-1.0.0" in times:
        results.append(_result("W1b", times, peers, Target(of="sayiir-1.0.0", at_most=1.0)))
    return results


def calling(count: int, clock: Callable[[], float] = time.perf_counter) -> dict[str, Side]:
    """Return the sides of W1, each of ``count`` chains."""
    workflow = chain(inc)
    functions = [inc] * STEPS

    def ours() -> None:
        for _ in range(count):
            run_workflow(workflow, 0)

    def limit() -> None:
        for _ in range(count):
            x = 0
            for function in functions:
                x = function(x)

    assert run_workflow(workflow, 0) == STEPS
    scale = 1e6 / (count * STEPS)
    return {
        "ours": lambda: seconds(ours, clock) * scale,
        "limit": lambda: seconds(limit, clock) * scale,
    }


def passing(count: int) -> dict[str, Side]:
    """Return the sides of W1b, each of ``count`` chains."""
    workflow = chain(same)
    value = document()

    def ours() -> None:
        for _ in range(count):
            run_workflow(workflow, value)

    def limit() -> None:
        for _ in range(count * STEPS):
            orjson.loads(orjson.dumps(value))

    assert run_workflow(workflow, value) == value
    scale = 1e6 / (count * STEPS)
    return {"ours": lambda: seconds(ours) * scale, "limit": lambda: seconds(limit) * scale}


def _result(workload: str, times: dict[str, list[float]], peers: Guests, target: Target) -> Result:
    return Result(
        workload=workload,
        what={"W1": "in process", "W1b": "in process, 1 KiB"}[workload],
        unit="µs/step",
        times=times,
        target=target,
        notes=peers.notes,
    )
