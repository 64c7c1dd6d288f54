"""DBOS: workflows of steps that are replayed, on PostgreSQL and SQLite.

A process holds one DBOS at a time, so requests for another store close the one that is open.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import statistics
import time
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy
from crew import Hand, Orders, crew, drained, ordered, pickups
from dbos import DBOS, DBOSClient, SetWorkflowID
from protocol import Answer, payload, serve, timed

_STEPS = 10
_POOL_STEPS = 4
_PAYLOAD_STEPS = 5
_BRANCHES = 100
_EARLY = 100
_FEWEST_STEPS = 400
_QUEUE = "queue"
_VERSION = "v1"
_DEFAULT_POLL = 1.0
_TUNED_POLL = 0.01
_CONCURRENCY = 50
_LEFT = b"SELECT count(*) FROM dbos.workflow_status WHERE status <> 'SUCCESS'"
_NUMBERS = itertools.count()
_READY: set[str] = set()

orders: Orders | None = None
"""What a worker process says; the functions below are the same in every process."""


@DBOS.step()
def inc(x: int) -> int:
    return x + 1


@DBOS.step()
def same(x: Any) -> Any:
    return x


@DBOS.step()
async def inc_async(x: int) -> int:
    return x + 1


@DBOS.workflow()
def chain(steps: int) -> int:
    x = 0
    for _ in range(steps):
        x = inc(x)
    return x


@DBOS.workflow()
def passing(value: Any) -> int:
    for _ in range(_PAYLOAD_STEPS):
        value = same(value)
    return len(value)


@DBOS.step()
def announce(number: int) -> int:
    assert orders is not None
    orders.announce(number)
    return number


@DBOS.workflow()
def announcing(number: int) -> int:
    return announce(number)


@DBOS.workflow()
async def gathering(x: int) -> int:
    return sum(await asyncio.gather(*[inc_async(x) for _ in range(_BRANCHES)]))


@DBOS.workflow()
def child(x: int) -> int:
    return inc(x)


@DBOS.workflow()
def parent(x: int) -> int:
    handles = [DBOS.start_workflow(child, x) for _ in range(_BRANCHES)]
    return sum(handle.get_result() for handle in handles)


instants: list[float] = []


@DBOS.step()
def tick(x: int) -> int:
    instants.append(time.perf_counter())
    return x + 1


@DBOS.workflow()
def ticking(steps: int) -> int:
    """Say at the end what the steps took, or their replay, and stay there."""
    start = time.perf_counter()
    x = 0
    for _ in range(steps):
        x = tick(x)
    whole = time.perf_counter() - start
    costs = [after - before for before, after in itertools.pairwise(instants)]
    window = min(500, steps // 4)
    early, late = costs[_EARLY : _EARLY + window], costs[-window:]
    assert orders is not None
    orders.say(f"{whole} {_median(early)} {_median(late)}")
    time.sleep(3600)
    return x


class Store:
    """The one that DBOS has open in this process."""

    def __init__(self) -> None:
        self._url = ""

    def open(self, url: str, executor: str = "local") -> None:
        """Open a store, closing another one."""
        if url == self._url:
            return
        self.close()
        DBOS(
            config={
                "name": "benchmark",
                "system_database_url": url,
                "log_level": "ERROR",
                "application_version": _VERSION,
                "executor_id": executor,
            }
        )
        DBOS.launch()
        self._url = url

    def close(self) -> None:
        if self._url:
            DBOS.destroy()
            self._url = ""


STORE = Store()


def w3(count: int, folder: str, journal: str = "delete", level: str = "FULL") -> Answer:
    path = Path(folder) / f"dbos-{journal}.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA journal_mode={journal}")
    _Pragmas.level = level
    STORE.open(f"sqlite:///{path}")
    setting = f"journal_mode={journal}, synchronous={level}, {count} instances"
    return timed(_chains(count), count * _STEPS, "µs/step", setting)


class _Pragmas:
    """What is set on every new connection to SQLite, besides what DBOS sets itself."""

    level = "FULL"

    @staticmethod
    def apply(connection: Any, record: Any) -> None:
        del record
        if isinstance(connection, sqlite3.Connection):
            connection.execute(f"PRAGMA synchronous={_Pragmas.level}")


sqlalchemy.event.listen(sqlalchemy.Engine, "connect", _Pragmas.apply)


def w4(count: int, dsn: str) -> Answer:
    STORE.open(dsn)
    setting = f"called in process, {count} instances"
    return timed(_chains(count), count * _STEPS, "ms/step", setting)


def _chains(count: int) -> float:
    """Return the seconds that chains take which are called one after the other."""
    chain(_STEPS)
    start = time.perf_counter()
    for _ in range(count):
        assert chain(_STEPS) == _STEPS
    return time.perf_counter() - start


def w5(count: int, dsn: str, workers: int) -> Answer:
    client = _client(dsn, _TUNED_POLL, concurrency=0)
    for _ in range(count):
        client.enqueue(_options("chain"), _POOL_STEPS)
    queue = client.retrieve_queue(_QUEUE)
    with psycopg.connect(dsn, autocommit=True) as watching:
        left = lambda: watching.execute(_LEFT).fetchone()[0]  # noqa: E731 -- used once
        with crew(workers, role="work", dsn=dsn) as hands:
            assert left() == count, "work began before it should"
            # A worker that may run nothing yet looks at the queue: all begin at once, as they do
            # with other engines.
            queue.set_worker_concurrency(_CONCURRENCY)
            seconds = drained(hands, left)
    client.destroy()
    setting = f"polling_interval_sec={_TUNED_POLL}, worker_concurrency={_CONCURRENCY}"
    setting += f", {count} instances"
    return timed(seconds, count * _POOL_STEPS, "µs/step", setting)


def w6(count: int, dsn: str, poll: float) -> Answer:
    count = max(1, count // (16 if poll == _DEFAULT_POLL else 2))
    client = _client(dsn, poll, concurrency=None)

    def submit(number: int) -> None:
        client.enqueue(_options("announcing"), number)

    with crew(1, role="work", dsn=dsn) as (hand,):
        time.sleep(2.0)
        values = pickups(hand, submit, count, poll)
    client.destroy()
    setting = f"polling_interval_sec={poll:g}, {count} submissions"
    return Answer(values=values, unit="ms", setting=setting)


def w7(count: int, dsn: str, *, children: bool = False) -> Answer:
    STORE.open(dsn)
    start = time.perf_counter()
    for _ in range(count):
        total = parent(1) if children else asyncio.run(gathering(1))
        assert total == 2 * _BRANCHES
    seconds = time.perf_counter() - start
    how = "child workflows" if children else "asyncio.gather of steps"
    setting = f"{how}, called in process, {count} forks"
    return timed(seconds, count, "ms", setting)


def w8(steps: int, dsn: str) -> Answer:
    steps = max(_FEWEST_STEPS, steps // 10)
    name = f"ticking-{next(_NUMBERS)}-{time.time_ns()}"
    grown = _grown(dsn, steps, name, role="grow")
    replayed = _grown(dsn, steps, name, role="recover")
    client = DBOSClient(system_database_url=dsn)
    client.cancel_workflow(name)
    client.destroy()
    values = {"early": grown[1] * 1e6, "late": grown[2] * 1e6, "resume": replayed[0] * 1e3}
    setting = f"{steps:,} steps; the resume is the replay alone, after its process was killed"
    return Answer(values=values, unit="µs/step, ms", setting=setting)


def _grown(dsn: str, steps: int, name: str, role: str) -> list[float]:
    hand = Hand(role=role, dsn=dsn, steps=steps, name=name, number=0)
    try:
        return [float(word) for word in hand.line().split()]
    finally:
        hand.end()


def w9(mib: float, folder: str, **_: Any) -> Answer:
    STORE.open(f"sqlite:///{folder}/dbos.sqlite")
    value = payload(mib)
    start = time.perf_counter()
    passing(value)
    seconds = time.perf_counter() - start
    setting = "pickle, SQLite, journal_mode=delete, synchronous=FULL"
    return timed(seconds, _PAYLOAD_STEPS, "ms/step", setting)


def w11(count: int, dsn: str) -> Answer:
    client = _client(dsn, _DEFAULT_POLL, concurrency=None)
    start = time.perf_counter()
    for _ in range(count):
        client.enqueue(_options("chain"), _POOL_STEPS)
    seconds = time.perf_counter() - start
    client.destroy()
    return timed(seconds, count, "µs", f"DBOSClient.enqueue, {count} instances")


def w11_many(count: int, dsn: str) -> Answer:
    client = _client(dsn, _DEFAULT_POLL, concurrency=None)
    engine = sqlalchemy.create_engine(dsn.replace("postgresql:", "postgresql+psycopg:"))
    start = time.perf_counter()
    with engine.begin() as connection:
        for _ in range(count):
            client.enqueue_in_transaction(connection, _options("chain"), _POOL_STEPS)
    seconds = time.perf_counter() - start
    engine.dispose()
    client.destroy()
    setting = f"enqueue_in_transaction, {count} instances in one transaction"
    return timed(seconds, count, "µs", setting)


def _client(dsn: str, poll: float, *, concurrency: int | None) -> DBOSClient:
    """Return a client of a store that has its schema and its queue."""
    if dsn not in _READY:
        STORE.open(dsn)
        STORE.close()
        _READY.add(dsn)
    client = DBOSClient(system_database_url=dsn)
    client.register_queue(
        _QUEUE,
        worker_concurrency=concurrency,
        polling_interval_sec=poll,
        on_conflict="always_update",
    )
    return client


def _options(workflow: str) -> Any:
    return {"queue_name": _QUEUE, "workflow_name": workflow, "app_version": _VERSION}


def _median(values: list[float]) -> float:
    """Return the median; a replay runs no step."""
    return statistics.median(values) if values else 0.0


def work(role: str, dsn: str, number: int, steps: int = 0, name: str = "") -> None:
    """Be one worker process: of the queue, or of one long workflow that is grown or recovered."""
    global orders  # noqa: PLW0603 -- the decorated functions above find it there
    orders = Orders()
    if role == "work":
        STORE.open(dsn, f"executor-{number}-{time.time_ns()}")
        orders.await_go()
        time.sleep(3600)
    orders.say("ready")
    STORE.open(dsn)
    if role == "grow":
        with SetWorkflowID(name):
            ticking(steps)
    time.sleep(3600)


if (parameters := ordered()) is not None:
    work(**parameters)
else:
    serve(
        {
            "w3-full": {"": w3, "WAL": lambda **given: w3(journal="wal", **given)},
            "w3-normal": {"WAL": lambda **given: w3(journal="wal", level="NORMAL", **given)},
            "w4": {"": w4},
            "w5": {"": w5},
            "w6": {
                "": lambda **given: w6(poll=_DEFAULT_POLL, **given),
                "tuned": lambda **given: w6(poll=_TUNED_POLL, **given),
            },
            "w7": {"": w7, "children": lambda **given: w7(children=True, **given)},
            "w8-postgresql": {"": w8},
            "w9": {"": w9},
            "w11": {"": w11},
            "w11-many": {"": w11_many},
        },
        {"w1": "always stores", "w1b": "always stores", "w2": "no store in memory"},
        STORE.close,
    )
