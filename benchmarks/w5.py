"""W5: a pool on PostgreSQL works off instances that were submitted before.

Workers are processes of their own with default settings; the limit does the same guarded work in
batches of 300 on two connections for each process. A fork of four is six steps with its first and
last; its limit is that of a chain, per step. Tasks of 5 ms are compared three times: with what the
default concurrency allows by arithmetic, with the sleeps alone, and with the sleeps over the limit's
tables; and a worker over a store in memory, whose overhead is its own, with the sleeps alone.
"""

from __future__ import annotations

import time

from guests import guests
from measure import Result, Settings, Target, take_turns
from pg_bodies import CONCURRENCY, plain
from pool import children, drained, sides
from pool_flows import FLOWS, PAUSE, STEPS

from sayiir import InMemoryBackend, PooledWorker, WorkflowClient
from sayiir_pytest.postgres_server import PostgresServer

_INSTANCES = 4_000
_FORK_STEPS = 6
_LOOK_SECONDS = 0.005
_SERVER = {"shared_buffers": "512MB"}


def w5(settings: Settings) -> list[Result]:
    """Measure no-op tasks with one and with two worker processes."""
    return [
        _against_limit(settings, "W5", "1 worker", "sync", 1, 1 / 0.6),
        _against_limit(settings, "W5", "2 workers", "sync", 2, 1 / 0.6),
    ]


def w5b(settings: Settings) -> list[Result]:
    """Measure coroutines, forks, and tasks that take a while."""
    return [
        _against_limit(settings, "W5b", "async", "async", 1, 1 / 0.35),
        _against_limit(settings, "W5b", "fork of 4", "fork", 1, 1 / 0.3),
        *_of_concurrency(settings, "5 ms threads", "slow"),
        *_of_concurrency(settings, "5 ms coroutines", "slow-async"),
    ]


def _against_limit(
    settings: Settings, workload: str, what: str, flow: str, processes: int, at_most: float
) -> Result:
    count = settings.size(_INSTANCES)
    steps = {"ours": _FORK_STEPS if flow == "fork" else STEPS, "limit": STEPS}
    with (
        PostgresServer(fsync=True, settings=_SERVER) as server,
        sides(server, "w5") as made,
        children(made["ours"], processes) as ours,
        children(made["limit"], processes) as limit,
        guests(settings, workload.lower(), server, count=count, workers=processes) as peers,
    ):
        times = take_turns(
            settings.repeats,
            {
                "ours": lambda: (
                    drained(made["ours"], ours, flow, count) / count / steps["ours"] * 1e6
                ),
                "limit": lambda: drained(made["limit"], limit, flow, count) / count / STEPS * 1e6,
            },
            peers,
        )
    return Result(
        workload=workload,
        what=what,
        unit="µs/step",
        times=times,
        target=Target(of="limit", at_most=at_most),
        notes=peers.notes,
    )


def _of_concurrency(settings: Settings, what: str, flow: str) -> list[Result]:
    """Compare with arithmetic, with the sleeps alone and over the raw tables; do without a server."""
    count = settings.size(_INSTANCES)
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
