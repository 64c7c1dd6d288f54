"""W5: a pool on PostgreSQL works off instances that were submitted before.

Workers are processes of their own with default settings; the limit does the same guarded work in
batches of 300 on two connections for each process. A fork of four is six steps with its first and
last; its limit is that of a chain, per step. Tasks of 5 ms are compared three times: with what the
default concurrency allows by arithmetic, with the sleeps alone, and with the sleeps over the limit's
tables; and a worker over a store in memory, whose overhead is its own, with the sleeps alone.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from guests import guests
from measure import Result, Series, Settings, Side, Target, take_turns
from pg_bodies import CONCURRENCY, plain
from pool import children, drained, sides
from pool_flows import FLOWS, PAUSE, STEPS

from sayiir import InMemoryBackend, PooledWorker, WorkflowClient
from sayiir_pytest.postgres_server import PostgresServer

_INSTANCES = 4_000
_SHORT = 2_000
_MOST_TURNS = 4
_PROCESSES = (1, 2, 4)
_FORK_STEPS = 6
_LOOK_SECONDS = 0.005
_SERVER = {"shared_buffers": "512MB"}


@dataclass(frozen=True, slots=True)
class Kind:
    """What is drained, and how many times the limit that may take."""

    workload: str
    what: str
    flow: str
    at_most: float


def w5(settings: Settings) -> list[Result | Series]:
    """Measure no-op tasks with one and with two worker processes; with four, for the series only."""
    count = settings.size(_INSTANCES)
    measured = {
        number: _against_limit(
            _shorter(settings) if number > 2 else settings,
            Kind("W5", "1 worker" if number == 1 else f"{number} workers", "sync", 1 / 0.6),
            number,
            count,
        )
        for number in _PROCESSES
    }
    lines = {
        side: [(number, 1e6 / (result.median(side) or 1.0)) for number, result in measured.items()]
        for side in ("ours", "limit")
    }
    series = Series(
        workload="W5",
        name="workers",
        title="Throughput against worker processes",
        across="worker processes",
        unit="steps per second",
        lines=lines,
    )
    return [measured[1], measured[2], series]


def w5b(settings: Settings) -> list[Result]:
    """Measure coroutines, forks, and tasks that take a while."""
    shorter, count = _shorter(settings), settings.size(_SHORT)
    kinds = (
        Kind("W5b", "coroutines", "async", 1 / 0.35),
        Kind("W5b", "fork of 4", "fork", 1 / 0.3),
    )
    return [
        *(_against_limit(shorter, kind, 1, count) for kind in kinds),
        *_of_concurrency(settings, "5 ms threads", "slow"),
        *_of_concurrency(settings, "5 ms coroutines", "slow-async"),
    ]


def _shorter(settings: Settings) -> Settings:
    """Return settings of fewer turns, for what takes seconds each."""
    return replace(settings, repeats=min(_MOST_TURNS, settings.repeats))


def _against_limit(settings: Settings, kind: Kind, processes: int, count: int) -> Result:
    with (
        PostgresServer(fsync=True, settings=_SERVER) as server,
        draining(server, kind.flow, processes, count) as made,
        guests(settings, kind.workload.lower(), server, count=count, workers=processes) as peers,
    ):
        times = take_turns(settings.repeats, made, peers)
    return Result(
        workload=kind.workload,
        what=kind.what,
        unit="µs/step",
        times=times,
        target=Target(of="limit", at_most=kind.at_most),
        notes=peers.notes,
    )


@contextmanager
def draining(
    server: PostgresServer, flow: str, processes: int, count: int
) -> Generator[dict[str, Side]]:
    """Give the sides: ``count`` instances, submitted first, µs per step."""
    steps = _FORK_STEPS if flow == "fork" else STEPS
    with (
        sides(server, "w5") as made,
        children(made["ours"], processes) as ours,
        children(made["limit"], processes) as limit,
    ):
        yield {
            "ours": lambda: drained(made["ours"], ours, flow, count) / count / steps * 1e6,
            "limit": lambda: drained(made["limit"], limit, flow, count) / count / STEPS * 1e6,
        }


def _of_concurrency(settings: Settings, what: str, flow: str) -> list[Result]:
    """Compare with arithmetic, with the sleeps alone and over the raw tables; do without a server."""
    settings = _shorter(settings)
    count = settings.size(_SHORT)
    ideal = count * STEPS * PAUSE / CONCURRENCY * 1e3
    with (
        PostgresServer(fsync=True, settings=_SERVER) as server,
        sides(server, "w5") as made,
        children(made["ours"], 1) as workers,
        children(made["limit"], 1) as raw,
    ):
        times = take_turns(
            settings.repeats,
            {
                "ours": lambda: drained(made["ours"], workers, flow, count) * 1e3,
                "raw": lambda: drained(made["limit"], raw, flow, count) * 1e3,
                "plain": lambda: plain(flow, count * STEPS) * 1e3,
                "memory": lambda: _in_memory(flow, count) * 1e3,
            },
        )
    pairs = {
        what: (times["ours"], [ideal] * settings.repeats),
        f"{what}, sleeps alone": (times["ours"], times["plain"]),
        f"{what}, raw tables": (times["ours"], times["raw"]),
        f"{what}, memory, sleeps": (times["memory"], times["plain"]),
    }
    target = Target(of="limit", at_most=1 / 0.95)
    return [
        Result(
            workload="W5b",
            what=name,
            unit="ms",
            times={"ours": ours, "limit": limit},
            target=target,
        )
        for name, (ours, limit) in pairs.items()
    ]


def _in_memory(flow: str, count: int) -> float:
    """Return how many seconds a worker of this process takes over a store in memory."""
    backend = InMemoryBackend()
    items = [(f"{flow}-{number}", 1) for number in range(count)]
    WorkflowClient(backend).submit_many(FLOWS[flow], items)
    start = time.perf_counter()
    with PooledWorker("memory", backend).start([FLOWS[flow]]) as worker:
        while worker.report().counts["succeeded"] < count * STEPS:
            time.sleep(_LOOK_SECONDS)
        return time.perf_counter() - start
