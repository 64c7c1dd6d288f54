"""W6: how long a submitted instance waits until its body starts on an idle worker.

Submitter and worker are two processes with default settings; peers that poll are measured tuned, too. The limit inserts and notifies in one
transaction, and claims when the notification comes. Both are given the same pauses in between.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import psycopg
from guests import guests
from measure import Result, Settings, Target
from pg_raw import submit_one
from pool import Child, children, sides
from pool_child import PAYLOAD
from pool_flows import FLOWS

from sayiir_pytest.postgres_server import PostgresServer

_SUBMISSIONS = 200
_WARM_UP = 10


def w6(settings: Settings) -> list[Result]:
    """Measure the median and the 99th percentile."""
    count = max(100, settings.size(_SUBMISSIONS))
    quantiles: dict[float, dict[str, list[float]]] = {
        q: {"ours": [], "limit": []} for q in (0.5, 0.99)
    }
    with (
        PostgresServer(fsync=True) as server,
        sides(server, "w6") as made,
        children(made["ours"], 1) as ours,
        children(made["limit"], 1) as limit,
        psycopg.connect(made["limit"].dsn, autocommit=True, prepare_threshold=1) as raw,
        guests(settings, "w6", server, count=count) as peers,
    ):
        client = made["ours"].client

        def submit(number: int) -> None:
            client.submit(FLOWS["announce"], f"i{number}", number)

        def insert(number: int) -> None:
            with raw.transaction():
                submit_one(raw, str(number), PAYLOAD)
                raw.execute("NOTIFY ready")

        ours[0].tell("run announce", "running")
        limit[0].tell("run announce", "running")
        time.sleep(1.0)
        pairs: list[tuple[str, Child, Callable[[int], Any]]] = [
            ("ours", ours[0], submit),
            ("limit", limit[0], insert),
        ]
        numbers = iter(range(10**9))
        for turn in range(settings.repeats + 1):
            for name, child, start in pairs:
                waits = sorted(
                    _wait(child, start, next(numbers)) for _ in range(count if turn else _WARM_UP)
                )
                for q, times in quantiles.items():
                    if turn:
                        times[name].append(waits[min(len(waits) - 1, int(q * len(waits)))])
            if turn:
                peers.take_turn(turn - 1)
        ours[0].tell("stop", "stopped")
    return [
        Result(
            workload="W6",
            what=f"pickup p{q * 100:.0f}",
            unit="ms",
            times=times | peers.times(f"p{q * 100:.0f}"),
            target=Target(of="limit", at_most=1.6),
            notes=peers.notes,
        )
        for q, times in quantiles.items()
    ]


def _wait(child: Child, start: Callable[[int], Any], number: int) -> float:
    time.sleep(random.uniform(0.01, 0.05))
    before = time.monotonic_ns()
    start(number)
    heard, at = child.line().split()
    assert heard == str(number)
    return (int(at) - before) / 1e6
