"""pgqueuer: a job queue on PostgreSQL, where a job is one step without a workflow's state.

It runs on uvloop with asyncpg, as its own command line does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

import asyncpg
import psycopg
import uvloop
from crew import Orders, crew, drained, ordered, pickups
from pgqueuer import AsyncpgDriver, PgQueuer, Queries
from protocol import Answer, serve, timed

_JOBS_OF_INSTANCE = 4
_TUNED_BATCH = 100
_BATCH = 1_000
_LEFT = b"SELECT EXISTS (SELECT FROM pgqueuer)"


def w5(count: int, dsn: str, workers: int) -> Answer:
    jobs = count * _JOBS_OF_INSTANCE
    STORES.of(dsn).fill(jobs)
    with psycopg.connect(dsn, autocommit=True) as watching:
        left = lambda: watching.execute(_LEFT).fetchone()[0]  # noqa: E731 -- used once
        with crew(workers, dsn=dsn, options={"batch_size": _TUNED_BATCH}) as hands:
            seconds = drained(hands, left)
    setting = f"batch_size={_TUNED_BATCH}, {jobs} jobs; a job for a step; durable, autovac applied"
    return timed(seconds, jobs, "µs/step", setting)


def w6(count: int, dsn: str) -> Answer:
    count = max(1, count // 2)
    store = STORES.of(dsn)
    with crew(1, dsn=dsn, options={}) as (hand,):
        hand.go()
        time.sleep(1.5)
        values = pickups(hand, lambda number: store.put("announce", number), count)
    return Answer(values=values, unit="ms", setting=f"LISTEN, {count} submissions")


def w11(count: int, dsn: str) -> Answer:
    store = STORES.of(dsn)
    start = time.perf_counter()
    for _ in range(count):
        store.put("inc", 1)
    return timed(time.perf_counter() - start, count, "µs", f"enqueue, {count} jobs")


def w11_many(count: int, dsn: str) -> Answer:
    store = STORES.of(dsn)
    start = time.perf_counter()
    store.fill(count)
    seconds = time.perf_counter() - start
    setting = f"enqueue of lists of {_BATCH}, {count} jobs"
    return timed(seconds, count, "µs", setting)


class Store:
    """The queue of one database, called from outside of its loop."""

    def __init__(self, dsn: str) -> None:
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._connection = self._run(asyncpg.connect(dsn))
        self._queries = Queries(AsyncpgDriver(self._connection))
        self._run(self._queries.install())
        self._run(self._queries.optimize_autovacuum())

    def put(self, entrypoint: str, number: int) -> None:
        """Submit one job."""
        self._run(self._queries.enqueue(entrypoint, b"%d" % number))

    def fill(self, jobs: int) -> None:
        """Submit jobs in batches."""
        for first in range(0, jobs, _BATCH):
            size = min(_BATCH, jobs - first)
            self._run(self._queries.enqueue(["inc"] * size, [b"1"] * size, [0] * size))

    def close(self) -> None:
        self._run(self._connection.close())
        self._runner.close()

    def _run(self, awaitable: Awaitable[Any]) -> Any:
        async def awaiting() -> Any:
            return await awaitable

        return self._runner.run(awaiting())


class Stores:
    """The open ones of this process, one for each address."""

    def __init__(self) -> None:
        self._stores: dict[str, Store] = {}

    def of(self, dsn: str) -> Store:
        """Return that of a database, making its tables first."""
        if dsn not in self._stores:
            self._stores[dsn] = Store(dsn)
        return self._stores[dsn]

    def close(self) -> None:
        for store in self._stores.values():
            store.close()
        self._stores.clear()


STORES = Stores()


async def work(dsn: str, options: dict[str, Any], number: int) -> None:
    """Be one worker process."""
    del number
    orders = Orders()
    manager = PgQueuer(AsyncpgDriver(await asyncpg.connect(dsn)))

    @manager.entrypoint("inc")
    async def inc(job: Any) -> None:
        int(job.payload)

    @manager.entrypoint("announce")
    async def announce(job: Any) -> None:
        orders.announce(int(job.payload))

    await asyncio.to_thread(orders.await_go)
    await manager.run(**options)


if (parameters := ordered()) is not None:
    uvloop.run(work(**parameters))
else:
    serve(
        {"w5": {"": w5}, "w6": {"": w6}, "w11": {"": w11}, "w11-many": {"": w11_many}},
        {
            **dict.fromkeys(("w1", "w1b", "w2", "w4"), "a queue of jobs without workflows"),
            **dict.fromkeys(("w3-full", "w3-normal"), "PostgreSQL only"),
        },
        STORES.close,
    )
