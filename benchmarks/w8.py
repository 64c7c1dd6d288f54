"""W8: the cost of a step, and of a resume, behind 10,000 finished steps.

Steps note the time at which they run, so the distance between two of them is one step with its
checkpoint. The last steps of one run are compared with the first ones of the next, which is
closest in time. A resume is compared with one read of a row by its key, where there is a driver.
"""

from __future__ import annotations

import itertools
import sqlite3
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
from guests import Guests, guests
from measure import Result, Series, Settings, Target, seconds

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
_HISTORIES = (100, 200, 500, 1_000, 2_000, 5_000, 10_000)
_RESUMED = (10, 100, 1_000)

Read = Callable[[str], object]
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Store:
    """One store, and how a row of it is read by key, if it has a driver."""

    name: str
    backend: Any
    read: Read | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """The rows of one store, and its lines in the series."""

    results: Sequence[Result]
    steps: Points
    resumes: Points


def w8(settings: Settings) -> list[Result | Series]:
    """Measure all three stores."""
    steps = max(1_000, settings.size(_STEPS))
    with guests(settings, "w8-memory", steps=steps) as peers:
        stores = {"memory": _measured(settings, Store("memory", InMemoryBackend()), steps, peers)}
    path = settings.folder / "w8.db"
    with (
        closing(SQLiteBackend(path, synchronous="NORMAL")) as file,
        closing(sqlite3.connect(path, check_same_thread=False)) as raw,
        guests(settings, "w8-sqlite", steps=steps) as peers,
    ):
        read = partial(_read, raw, "SELECT * FROM instances WHERE instance_id = ?")
        stores["SQLite"] = _measured(settings, Store("SQLite", file, read), steps, peers)
    with (
        PostgresServer() as server,
        closing(PostgresBackend(server.dsn)) as backend,
        psycopg.connect(server.dsn, autocommit=True, prepare_threshold=1) as connection,
        guests(settings, "w8-postgresql", server, steps=steps) as peers,
    ):
        read = partial(_read, connection, "SELECT * FROM sayiir.instances WHERE instance_id = %s")
        stores["PostgreSQL"] = _measured(settings, Store("PostgreSQL", backend, read), steps, peers)
    return [
        *(result for store in stores.values() for result in store.results),
        _series("history", "A step against its history", "µs per step", "steps", stores),
        _series("resume", "A resume against its history", "ms", "resumes", stores),
    ]


def _read(connection: Any, query: str, name: str) -> None:
    assert len(connection.execute(query, (name,)).fetchall()) == 1


def _series(name: str, title: str, unit: str, field: str, stores: Mapping[str, Measured]) -> Series:
    return Series(
        workload="W8",
        name=name,
        title=title,
        across="finished steps",
        unit=unit,
        lines={store: getattr(measured, field) for store, measured in stores.items()},
        logarithmic="xy",
    )


def _measured(settings: Settings, store: Store, steps: int, peers: Guests) -> Measured:
    names = (f"i{number}" for number in itertools.count())
    resumes: dict[str, list[float]] = {"ours": [], "limit": []} if store.read else {"ours": []}
    runs: list[list[float]] = []
    flow = Ticking(steps)
    for turn in range(max(2, (settings.repeats + 1) // 2) + 2):
        name = next(names)
        runs.append(flow.run(name, store.backend))
        _resume(flow.workflow, name, store, resumes)
        peers.take_turn(turn)
    # The first run makes the bodies of its steps, which no later one does.
    window, later = min(500, steps // 4), runs[1:]
    line = [(at, _cost_at(later, at, window)) for at in _HISTORIES if at <= steps]
    points = [(at, _resumed(at, next(names), store)) for at in _RESUMED if at < steps]
    points.append((steps, statistics.median(resumes["ours"])))
    results = [
        _cost(store.name, steps, _costs(later, window), peers),
        Result(
            workload="W8",
            what=f"{store.name}: resume at {steps:,} steps",
            unit="ms",
            times=resumes | peers.times("resume"),
            target=Target(of="itself", at_most=2.0),
            notes=peers.notes,
        ),
    ]
    return Measured(results, line, points)


def _costs(runs: Sequence[list[float]], window: int) -> dict[str, list[float]]:
    """Return the cost of the last steps of each run, and of the first ones of the next."""
    pairs = list(itertools.pairwise(runs))
    return {
        "ours": [_step_cost(run[-window:]) for run, _ in pairs],
        "limit": [_step_cost(run[_EARLY : _EARLY + window]) for _, run in pairs],
    }


def _cost(store: str, steps: int, costs: dict[str, list[float]], peers: Guests) -> Result:
    early = {f"{peer} step {_EARLY}": values for peer, values in peers.times("early").items()}
    return Result(
        workload="W8",
        what=f"{store}: step {steps:,} against step {_EARLY}",
        unit="µs/step",
        times=costs | peers.times("late") | early,
        target=Target(of="limit", at_most=1.05),
        notes=peers.notes,
    )


class Ticking:
    """A chain that notes when each of its steps runs, and then waits for a signal."""

    def __init__(self, steps: int) -> None:
        self._instants: list[float] = []
        flow: Any = Flow[int, Any]("ticking")
        for number in range(steps):
            flow = flow.then(self._tick, name=f"s{number}")
        self.workflow = flow.wait_for_signal("go").build()

    def run(self, name: str, backend: Any) -> list[float]:
        """Run an instance up to where it waits; return the instants of its steps."""
        self._instants.clear()
        assert run_durable_workflow(self.workflow, name, 0, backend).is_awaiting_signal()
        return list(self._instants)

    def _tick(self, x: int) -> int:
        self._instants.append(time.perf_counter())
        return x + 1


def _resume(workflow: Any, name: str, store: Store, times: dict[str, list[float]]) -> None:
    read = store.read
    for _ in range(_RESUMES):
        taken = seconds(lambda: resume_workflow(workflow, name, store.backend))
        times["ours"].append(taken * 1e3)
        if read is not None and "limit" in times:
            times["limit"].append(seconds(lambda: read(name)) * 1e3)


def _resumed(steps: int, name: str, store: Store) -> float:
    """Return what the resume of a short chain takes, ms."""
    flow, times = Ticking(steps), {"ours": list[float]()}
    flow.run(name, store.backend)
    _resume(flow.workflow, name, store, times)
    return statistics.median(times["ours"])


def _cost_at(runs: Sequence[list[float]], at: int, window: int) -> float:
    """Return the cost of a step behind so many, over the steps around it, µs."""
    start = max(at - window, 0) if at > _EARLY else at
    return statistics.median(_step_cost(run[start : start + window]) for run in runs)


def _step_cost(instants: list[float]) -> float:
    return statistics.median(b - a for a, b in itertools.pairwise(instants)) * 1e6
