"""The original Sayiir: a Rust core with Python bindings, for PostgreSQL and in memory.

It runs in an environment of its own, where ``sayiir`` is that library. ``chain.py`` is shared, so
both do the same work.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from crew import Orders, crew, drained, ordered, pickups
from protocol import Answer, payload, serve, timed

sys.path.append(str(Path(__file__).resolve().parent.parent))
from chain import STEPS, chain, document, inc, same

from sayiir import (
    Flow,
    InMemoryBackend,
    PostgresBackend,
    Worker,
    WorkflowClient,
    resume_workflow,
    run_durable_workflow,
    run_workflow,
    send_signal,
)

_POOL_STEPS = 4
_PAYLOAD_STEPS = 5
_BRANCHES = 100
_EARLY = 100
_FEWEST_STEPS = 400
_DEFAULT_POLL = 5.0
_TUNED_POLL = 0.001
_NUMBERS = itertools.count()
_LEFT = b"SELECT count(*) FROM sayiir_workflow_snapshots WHERE status <> 'Completed'"


def w1(count: int, function: Callable[..., Any] = inc, value: Any = 0) -> Answer:
    workflow = chain(function)
    start = time.perf_counter()
    for _ in range(count):
        run_workflow(workflow, value)
    return timed(
        time.perf_counter() - start, count * STEPS, "µs/step", f"run_workflow, {count} runs"
    )


def w1b(count: int) -> Answer:
    return w1(count, same, document())


def w2(count: int) -> Answer:
    workflow, backend = chain(inc), InMemoryBackend()
    start = time.perf_counter()
    for number in range(count):
        run_durable_workflow(workflow, f"i{number}", 0, backend)
    seconds = time.perf_counter() - start
    return timed(seconds, count * STEPS, "µs/step", f"InMemoryBackend, {count} instances")


def w4(count: int, dsn: str) -> Answer:
    workflow, backend = chain(inc), PostgresBackend(dsn)
    run_durable_workflow(workflow, _name(), 0, backend)
    start = time.perf_counter()
    for _ in range(count):
        assert run_durable_workflow(workflow, _name(), 0, backend).output == STEPS
    seconds = time.perf_counter() - start
    setting = f"PostgresBackend with its defaults, {count} instances"
    return timed(seconds, count * STEPS, "ms/step", setting)


def w5(count: int, dsn: str, workers: int) -> Answer:
    client, flow = WorkflowClient(PostgresBackend(dsn)), _pool_flow()
    for _ in range(count):
        client.submit(flow, _name(), 0)
    with psycopg.connect(dsn, autocommit=True) as watching:
        left = lambda: _count(watching)  # noqa: E731 -- one expression, used once
        with crew(workers, dsn=dsn, poll=_TUNED_POLL, kind="pool") as hands:
            seconds = drained(hands, left)
    setting = f"poll_interval={_TUNED_POLL}, one Worker in each process, {count} instances"
    return timed(seconds, count * _POOL_STEPS, "µs/step", setting)


def w6(count: int, dsn: str, poll: float) -> Answer:
    count = max(1, count // (50 if poll == _DEFAULT_POLL else 2))
    client, flow = WorkflowClient(PostgresBackend(dsn)), _announcing(lambda number: number)
    with crew(1, dsn=dsn, poll=poll, kind="pickup") as (hand,):
        hand.go()
        time.sleep(1.0)
        values = pickups(hand, lambda number: client.submit(flow, _name(), number), count, poll)
    setting = f"poll_interval={poll:g}, {count} submissions"
    return Answer(values=values, unit="ms", setting=setting)


def w7(count: int, dsn: str) -> Answer:
    fork = Flow("fan").then(inc, name="first").fork()
    for number in range(_BRANCHES):
        fork = fork.branch(inc, name=f"b{number}")
    workflow, backend = fork.join(len, name="last").build(), PostgresBackend(dsn)
    start = time.perf_counter()
    for _ in range(count):
        assert run_durable_workflow(workflow, _name(), 1, backend).output == _BRANCHES
    seconds = time.perf_counter() - start
    setting = f"in the calling process, without a worker, {count} forks"
    return timed(seconds, count, "ms", setting)


def w8(steps: int, backend: Any) -> Answer:
    instants: list[float] = []

    def tick(x: int) -> int:
        instants.append(time.perf_counter())
        return x + 1

    flow = Flow("ticking")
    for number in range(steps):
        flow = flow.then(tick, name=f"s{number}")
    workflow, name = flow.wait_for_signal("go").then(same, name="last").build(), _name()
    assert run_durable_workflow(workflow, name, 0, backend).is_awaiting_signal()
    costs = [after - before for before, after in itertools.pairwise(instants)]
    window = min(500, steps // 4)
    send_signal(name, "go", 1, backend)
    start = time.perf_counter()
    assert resume_workflow(workflow, name, backend).is_completed()
    values = {
        "resume": (time.perf_counter() - start) * 1e3,
        "early": statistics.median(costs[_EARLY : _EARLY + window]) * 1e6,
        "late": statistics.median(costs[-window:]) * 1e6,
    }
    setting = f"{steps:,} steps"
    return Answer(values=values, unit="µs/step, ms", setting=setting)


def w8_postgres(steps: int, dsn: str) -> Answer:
    return w8(max(_FEWEST_STEPS, steps // 20), PostgresBackend(dsn))


def w9(mib: float, backend: Any, store: str) -> Answer:
    workflow = chain(same, _PAYLOAD_STEPS)
    value = payload(mib)
    start = time.perf_counter()
    assert run_durable_workflow(workflow, _name(), value, backend).is_completed()
    return timed(time.perf_counter() - start, _PAYLOAD_STEPS, "ms/step", f"JSON, {store}")


def w11(count: int, dsn: str) -> Answer:
    client, flow = WorkflowClient(PostgresBackend(dsn)), _pool_flow()
    client.submit(flow, _name(), 0)
    start = time.perf_counter()
    for _ in range(count):
        client.submit(flow, _name(), 0)
    return timed(time.perf_counter() - start, count, "µs", f"submit, {count} instances")


def work(dsn: str, poll: float, kind: str, number: int) -> None:
    """Be one worker process."""
    orders = Orders()
    worker = Worker(f"w{number}", PostgresBackend(dsn), poll_interval=poll)
    orders.await_go()
    worker.start([_pool_flow() if kind == "pool" else _announcing(orders.announce)])
    time.sleep(3600)


def _pool_flow() -> Any:
    return chain(inc, _POOL_STEPS)


def _announcing(function: Callable[[int], Any]) -> Any:
    return Flow("announce").then(function, name="announce").build()


def _name() -> str:
    return f"i{next(_NUMBERS)}"


def _count(connection: psycopg.Connection) -> int:
    return connection.execute(_LEFT).fetchone()[0]


if (parameters := ordered()) is not None:
    work(**parameters)
else:
    serve(
        {
            "w1": {"": w1},
            "w1b": {"": w1b},
            "w2": {"": w2},
            "w4": {"": w4},
            "w5": {"": w5},
            "w6": {
                "": lambda **given: w6(poll=_DEFAULT_POLL, **given),
                "tuned": lambda **given: w6(poll=_TUNED_POLL, **given),
            },
            "w7": {"": w7},
            "w8-memory": {"": lambda steps: w8(steps, InMemoryBackend())},
            "w8-postgresql": {"": w8_postgres},
            "w9": {
                "": lambda mib, **_: w9(mib, InMemoryBackend(), "in memory"),
                "PostgreSQL": lambda mib, dsn, **_: w9(mib, PostgresBackend(dsn), "PostgreSQL"),
            },
            "w11": {"": w11},
        },
        {
            "w3-full": "no SQLite backend",
            "w3-normal": "no SQLite backend",
            "w8-sqlite": "no SQLite backend",
            "w11-many": "no bulk submission",
        },
        lambda: None,
    )
