"""W8: the cost of a step, and of a resume, behind 10,000 finished steps.

Steps note the time at which they run, so the distance between two of them is one step with its
checkpoint. The last steps of one run are compared with the first ones of the next, which is
closest in time.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any

from guests import Guests, guests
from measure import Result, Settings, Target, seconds

from sayiir import (
    Flow,
    InMemoryBackend,
    PostgresBackend,
    SQLiteBackend,
    resume_workflow,
    run_durable_workflow,
)
from sayiir_pytest.postgres_server import PostgresServer

_STEPS = 10_000
_EARLY = 100
_RESUMES = 20


def w8(settings: Settings) -> list[Result]:
    """Measure all three stores."""
    steps = max(1_000, settings.size(_STEPS))
    with guests(settings, "w8-memory", steps=steps) as peers:
        results = _measured(settings, "memory", InMemoryBackend(), steps, peers)
    file = SQLiteBackend(settings.folder / "w8.db", synchronous="NORMAL")
    try:
        with guests(settings, "w8-sqlite", steps=steps) as peers:
            results += _measured(settings, "SQLite", file, steps, peers)
    finally:
        file.close()
    with PostgresServer() as server:
        backend = PostgresBackend(server.dsn)
        try:
            with guests(settings, "w8-postgresql", server, steps=steps) as peers:
                results += _measured(settings, "PostgreSQL", backend, steps, peers)
        finally:
            backend.close()
    return results


def _measured(
    settings: Settings, store: str, backend: Any, steps: int, peers: Guests
) -> list[Result]:
    window = min(500, steps // 4)
    instants: list[float] = []
    workflow = _ticking(steps, lambda: instants.append(time.perf_counter()))
    names = itertools.count()
    times: dict[str, list[float]] = {"ours": [], "limit": []}
    resumes: list[float] = []
    tail: float | None = None
    for turn in range(max(2, settings.repeats // 2) + 2):
        instants.clear()
        name = f"i{next(names)}"
        assert run_durable_workflow(workflow, name, 0, backend).is_awaiting_signal()
        if tail is not None:
            times["ours"].append(tail)
            times["limit"].append(_step_cost(instants[_EARLY : _EARLY + window]))
        # The first run makes the bodies of its steps, which no later one does.
        tail = _step_cost(instants[-window:]) if turn > 0 else None
        resumes += [
            seconds(lambda: resume_workflow(workflow, name, backend)) * 1e3  # noqa: B023
            for _ in range(_RESUMES)
        ]
        peers.take_turn(turn)
    early = {f"{peer} step {_EARLY}": values for peer, values in peers.times("early").items()}
    return [
        Result(
            workload="W8",
            what=f"{store}: step {steps:,} against step {_EARLY}",
            unit="µs/step",
            times=times | peers.times("late") | early,
            target=Target(of="limit", at_most=1.05),
            notes=peers.notes,
        ),
        Result(
            workload="W8",
            what=f"{store}: resume at {steps:,} steps",
            unit="ms",
            times={"ours": resumes} | peers.times("resume"),
            target=Target(of="itself", at_most=2.0),
            notes=peers.notes,
        ),
    ]


def _step_cost(instants: list[float]) -> float:
    return statistics.median(b - a for a, b in itertools.pairwise(instants)) * 1e6


def _ticking(steps: int, note: Callable[[], None]) -> Any:
    def tick(x: int) -> int:
        note()
        return x + 1

    flow: Any = Flow[int, Any]("ticking")
    for number in range(steps):
        flow = flow.then(tick, name=f"s{number}")
    return flow.wait_for_signal("go").build()
