"""W6: how long a submitted instance waits until its body starts on an idle worker.

Submitter and worker are two processes with default settings; peers that poll are measured tuned,
too. The limit inserts and notifies in one transaction, and claims when the notification comes. Both
are given the same pauses in between.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from guests import Guests, guests
from measure import Result, Series, Settings, Target
from pg_raw import submit_one
from pool import Child, children, sides
from pool_child import PAYLOAD
from pool_flows import FLOWS

from sayiir_pytest.postgres_server import PostgresServer

_SUBMISSIONS = 200
_WARM_UP = 10
_MOST_TURNS = 5
_PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99, 99.5)


def w6(settings: Settings) -> list[Result | Series]:
    """Measure the median and the 99th percentile, and keep all percentiles for the series."""
    count = max(100, settings.size(_SUBMISSIONS))
    with (
        PostgresServer(fsync=True) as server,
        idle(server) as pickups,
        guests(settings, "w6", server, count=count) as peers,
    ):
        turns = _turns(pickups, peers, min(_MOST_TURNS, settings.repeats), count)
    target = Target(of="limit", at_most=1.6)
    results = [
        Result(
            workload="W6",
            what=f"pickup p{q * 100:.0f}",
            unit="ms",
            times={
                name: [_quantile(waits, q) for waits in of_side] for name, of_side in turns.items()
            }
            | peers.times(f"p{q * 100:.0f}"),
            target=target,
            notes=peers.notes,
        )
        for q in (0.5, 0.99)
    ]
    pooled = {name: sorted(itertools.chain(*of_side)) for name, of_side in turns.items()}
    series = Series(
        workload="W6",
        name="pickup",
        title="Pickup latency by percentile",
        across="percentile",
        unit="ms",
        lines={
            name: [(p, _quantile(waits, p / 100)) for p in _PERCENTILES]
            for name, waits in pooled.items()
        },
        logarithmic="y",
    )
    return [*results, series]


def _turns(
    pickups: Mapping[str, Callable[[], float]], peers: Guests, repeats: int, count: int
) -> dict[str, list[list[float]]]:
    """Return the sorted waits of each turn of each side."""
    for pickup in pickups.values():
        for _ in range(_WARM_UP):
            pickup()
    turns: dict[str, list[list[float]]] = {name: [] for name in pickups}
    for number in range(repeats):
        for name, pickup in pickups.items():
            turns[name].append(sorted(pickup() for _ in range(count)))
        peers.take_turn(number)
    return turns


def _quantile(waits: Sequence[float], q: float) -> float:
    return waits[min(len(waits) - 1, int(q * len(waits)))]


@contextmanager
def idle(server: PostgresServer) -> Generator[dict[str, Callable[[], float]]]:
    """Give the sides: each call submits one instance to an idle worker, ms until its body starts."""
    with (
        sides(server, "w6") as made,
        children(made["ours"], 1) as (ours,),
        children(made["limit"], 1) as (limit,),
        psycopg.connect(made["limit"].dsn, autocommit=True, prepare_threshold=1) as raw,
    ):
        client = made["ours"].client
        numbers = itertools.count()

        def submit(number: int) -> None:
            client.submit(FLOWS["announce"], f"i{number}", number)

        def insert(number: int) -> None:
            with raw.transaction():
                submit_one(raw, str(number), PAYLOAD)
                raw.execute("NOTIFY ready")

        for child in (ours, limit):
            child.tell("run announce", "running")
        time.sleep(1.0)
        yield {
            "ours": lambda: _wait(ours, submit, next(numbers)),
            "limit": lambda: _wait(limit, insert, next(numbers)),
        }
        ours.tell("stop", "stopped")


def _wait(child: Child, start: Callable[[int], Any], number: int) -> float:
    time.sleep(random.uniform(0.01, 0.03))
    before = time.monotonic_ns()
    start(number)
    heard, at = child.line().split()
    assert heard == str(number)
    return (int(at) - before) / 1e6
