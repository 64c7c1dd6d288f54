"""procrastinate: a job queue on PostgreSQL, where a job is one step without a workflow's state."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from typing import Any

import procrastinate
import psycopg
from crew import Orders, crew, drained, ordered, pickups
from protocol import Answer, serve, timed

_JOBS_OF_INSTANCE = 4
_CONCURRENCY = 30
_BATCH = 1_000
_LEFT = b"SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status IN ('todo', 'doing'))"
_QUEUE = "benchmark"


def w5(count: int, dsn: str, workers: int) -> Answer:
    jobs = count * _JOBS_OF_INSTANCE
    APPS.of(dsn).fill(jobs)
    with psycopg.connect(dsn, autocommit=True) as watching:
        left = lambda: watching.execute(_LEFT).fetchone()[0]  # noqa: E731 -- used once
        with crew(workers, dsn=dsn, options={"concurrency": _CONCURRENCY}) as hands:
            seconds = drained(hands, left)
    setting = f"concurrency={_CONCURRENCY}, {jobs} jobs; a job for a step"
    return timed(seconds, jobs, "µs/step", setting)


def w6(count: int, dsn: str) -> Answer:
    count = max(1, count // 2)
    app = APPS.of(dsn)
    with crew(1, dsn=dsn, options={}) as (hand,):
        hand.go()
        time.sleep(1.5)
        values = pickups(hand, lambda number: app.announce.defer(number=number), count)
    return Answer(values=values, unit="ms", setting=f"LISTEN, {count} submissions")


def w11(count: int, dsn: str) -> Answer:
    app = APPS.of(dsn)
    start = time.perf_counter()
    for _ in range(count):
        app.inc.defer(x=1)
    return timed(time.perf_counter() - start, count, "µs", f"defer, {count} jobs")


def w11_many(count: int, dsn: str) -> Answer:
    app = APPS.of(dsn)
    start = time.perf_counter()
    app.fill(count)
    seconds = time.perf_counter() - start
    setting = f"batch_defer of {_BATCH}, {count} jobs"
    return timed(seconds, count, "µs", setting)


class App:
    """The tasks of one database."""

    def __init__(self, connector: Any, orders: Orders | None = None) -> None:
        self.app = procrastinate.App(connector=connector)

        @self.app.task(name="inc", queue=_QUEUE)
        async def inc(x: int) -> int:
            return x + 1

        @self.app.task(name="announce", queue=_QUEUE)
        async def announce(number: int) -> int:
            assert orders is not None
            orders.announce(number)
            return number

        self.inc, self.announce = inc, announce

    def fill(self, jobs: int) -> None:
        """Submit jobs in batches."""
        for first in range(0, jobs, _BATCH):
            self.inc.batch_defer(*[{"x": 1}] * min(_BATCH, jobs - first))


class Apps:
    """The open ones of this process, one for each address."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._apps: dict[str, App] = {}

    def of(self, dsn: str) -> App:
        """Return that of a database, making its tables first."""
        if dsn not in self._apps:
            made = App(procrastinate.SyncPsycopgConnector(conninfo=dsn))
            self._stack.enter_context(made.app.open())
            made.app.schema_manager.apply_schema()
            self._apps[dsn] = made
        return self._apps[dsn]

    def close(self) -> None:
        self._apps.clear()
        self._stack.close()


APPS = Apps()


async def work(dsn: str, options: dict[str, Any], number: int) -> None:
    """Be one worker process."""
    orders = Orders()
    app = App(procrastinate.PsycopgConnector(conninfo=dsn), orders).app
    async with app.open_async():
        await asyncio.to_thread(orders.await_go)
        await app.run_worker_async(
            queues=[_QUEUE], name=f"w{number}", install_signal_handlers=False, **options
        )


if (parameters := ordered()) is not None:
    asyncio.run(work(**parameters))
else:
    serve(
        {"w5": {"": w5}, "w6": {"": w6}, "w11": {"": w11}, "w11-many": {"": w11_many}},
        {
            **dict.fromkeys(("w1", "w1b", "w2", "w4"), "a queue of jobs without workflows"),
            **dict.fromkeys(("w3-full", "w3-normal"), "PostgreSQL only"),
        },
        APPS.close,
    )
