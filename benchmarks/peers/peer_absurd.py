"""absurd: durable tasks of steps, on stored functions of PostgreSQL.

Its schema comes with ``absurdctl``, which is a distribution of its own and calls ``psql``.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
from absurd_sdk import Absurd
from crew import Orders, crew, drained, ordered, pickups
from protocol import Answer, serve, timed

_STEPS = 10
_POOL_STEPS = 4
_QUEUE = "benchmark"
_DEFAULT_POLL = 0.25
_TUNED_POLL = 0.01
_BATCH = 50
_LEFT = b"SELECT count(*) FROM absurd.t_benchmark WHERE state <> 'completed'"
_NUMBERS = itertools.count()
_READY: set[str] = set()


def w4(count: int, dsn: str) -> Answer:
    app = _app(dsn)
    start = time.perf_counter()
    for _ in range(count):
        app.spawn("chain", {"steps": _STEPS})
        app.work_batch("caller", 120, 1)
    seconds = time.perf_counter() - start
    app.close()
    with psycopg.connect(dsn) as connection:
        assert connection.execute(_LEFT).fetchone() == (0,)
    setting = f"spawn and work_batch of 1 in turn, {count} instances"
    return timed(seconds, count * _STEPS, "ms/step", setting)


def w5(count: int, dsn: str, workers: int) -> Answer:
    app = _app(dsn)
    for _ in range(count):
        app.spawn("chain", {"steps": _POOL_STEPS})
    app.close()
    with psycopg.connect(dsn, autocommit=True) as watching:
        left = lambda: watching.execute(_LEFT).fetchone()[0]  # noqa: E731 -- used once
        options = {"batch_size": _BATCH, "poll_interval": _TUNED_POLL}
        with crew(workers, dsn=dsn, options=options) as hands:
            seconds = drained(hands, left)
    setting = f"batch_size={_BATCH}, poll_interval={_TUNED_POLL}, {count} instances"
    return timed(seconds, count * _POOL_STEPS, "µs/step", setting)


def w6(count: int, dsn: str, poll: float) -> Answer:
    count = max(1, count // (6 if poll == _DEFAULT_POLL else 2))
    app = _app(dsn)

    def submit(number: int) -> None:
        app.spawn("announce", {"number": number})

    with crew(1, dsn=dsn, options={"poll_interval": poll}) as (hand,):
        hand.go()
        time.sleep(1.0)
        values = pickups(hand, submit, count, poll)
    app.close()
    setting = f"poll_interval={poll:g}, {count} submissions"
    return Answer(values=values, unit="ms", setting=setting)


def w11(count: int, dsn: str) -> Answer:
    app = _app(dsn)
    start = time.perf_counter()
    for _ in range(count):
        app.spawn("chain", {"steps": _POOL_STEPS})
    seconds = time.perf_counter() - start
    app.close()
    return timed(seconds, count, "µs", f"spawn, {count} instances")


def w11_many(count: int, dsn: str) -> Answer:
    _app(dsn).close()
    with psycopg.connect(dsn, autocommit=True) as connection:
        app = Absurd(connection, queue_name=_QUEUE)
        start = time.perf_counter()
        with connection.transaction():
            for _ in range(count):
                app.spawn("chain", {"steps": _POOL_STEPS}, queue=_QUEUE)
        seconds = time.perf_counter() - start
    return timed(seconds, count, "µs", f"spawn, {count} instances in one transaction")


def _app(dsn: str, orders: Orders | None = None) -> Absurd:
    """Return a client that knows the tasks, of a database with the schema."""
    if orders is None and dsn not in _READY:
        control = str(Path(sys.executable).with_name("absurdctl"))
        environment = {**os.environ, "ABSURD_DATABASE_URL": dsn, "PGDATABASE": dsn}
        for command in (["init"], ["create-queue", _QUEUE]):
            subprocess.run([control, *command], env=environment, check=True, stdout=sys.stderr)
        _READY.add(dsn)
    app = Absurd(dsn, queue_name=_QUEUE)

    @app.register_task(name="chain")
    def chain(params: Any, context: Any) -> int:
        x = 0
        for number in range(params["steps"]):
            x = context.step(f"s{number}", lambda x=x: x + 1)
        return x

    @app.register_task(name="announce")
    def announce(params: Any, context: Any) -> int:
        del context
        assert orders is not None
        orders.announce(params["number"])
        return params["number"]

    return app


def work(dsn: str, options: dict[str, Any], number: int) -> None:
    """Be one worker process."""
    orders = Orders()
    app = _app(dsn, orders)
    app.list_queues()
    orders.await_go()
    app.start_worker(f"w{number}-{time.time_ns()}", **options)


if (parameters := ordered()) is not None:
    work(**parameters)
else:
    serve(
        {
            "w4": {"": w4},
            "w5": {"": w5},
            "w6": {
                "": lambda **given: w6(poll=_DEFAULT_POLL, **given),
                "tuned": lambda **given: w6(poll=_TUNED_POLL, **given),
            },
            "w11": {"": w11},
            "w11-many": {"": w11_many},
        },
        {
            **dict.fromkeys(("w1", "w1b", "w2", "w3-full", "w3-normal"), "PostgreSQL only"),
            "w7": "no steps side by side within a task",
        },
        lambda: None,
    )
