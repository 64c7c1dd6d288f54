"""W1: ten plain steps in process, without a store. W1b: the same, passing a 1 KiB document."""

from __future__ import annotations

import orjson
from chain import STEPS, chain, document, inc, same
from guests import Guests, guests
from measure import Result, Settings, Target, seconds, take_turns

from sayiir import run_workflow


def w1(settings: Settings) -> list[Result]:
    """Measure the cost of a step that does nothing, against plain calls."""
    count = settings.size(4_000)
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
    sides = {"ours": lambda: seconds(ours) * scale, "limit": lambda: seconds(limit) * scale}
    with guests(settings, "w1", count=count) as peers:
        times = take_turns(settings.repeats, sides, peers)
    results = [_result("W1", times, peers, Target(of="itself", at_most=1.0))]
    if "sayiir-1.0.0" in times:
        results.append(_result("W1", times, peers, Target(of="sayiir-1.0.0", at_most=0.25)))
    return results


def w1b(settings: Settings) -> list[Result]:
    """Measure the cost of passing a document, against encoding and decoding it once per step."""
    count = settings.size(1_000)
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
    sides = {"ours": lambda: seconds(ours) * scale, "limit": lambda: seconds(limit) * scale}
    with guests(settings, "w1b", count=count) as peers:
        times = take_turns(settings.repeats, sides, peers)
    results = [_result("W1b", times, peers, Target(of="limit", at_most=1.5))]
    if "sayiir-1.0.0" in times:
        results.append(_result("W1b", times, peers, Target(of="sayiir-1.0.0", at_most=1.0)))
    return results


def _result(workload: str, times: dict[str, list[float]], peers: Guests, target: Target) -> Result:
    return Result(
        workload=workload,
        what={"W1": "in process", "W1b": "in process, 1 KiB"}[workload],
        unit="µs/step",
        times=times,
        target=target,
        notes=peers.notes,
    )
