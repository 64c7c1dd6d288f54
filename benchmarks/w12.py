"""W12: what 100,000 parked instances cost those that run, on PostgreSQL.

One store is empty, the other holds instances that wait for a delay or a signal, half each. A batch
is claimed and given back, instances are submitted and a worker drains some, alike in both. Then a
store with 200,000 queued instances of five priorities and three lanes must give the best 100 in
their order. Workers and clients write a few hundred of the instances, which are then copied.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from measure import Result, Settings, Target, seconds, take_turns
from multiply import multiply
from pool import Child, Ours, children, drained, park
from pool_flows import FLOWS

from sayiir import Flow, task
from sayiir_core.ids import SessionId
from sayiir_core.ports.sessions import NewSession
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.control import claim_order
from sayiir_core.snapshot.head import Lane
from sayiir_pytest.postgres_server import PostgresServer

_PARKED = 100_000
_QUEUED = 200_000
_BATCH = 100
_SUBMITTED = 2_000
_DRAINED = 1_000
_WRITTEN = 200
_TURNS = 60
_SERVING = "sync parked delayed"
_SERVER = {"shared_buffers": "512MB"}


class Claimer:
    """One session of a store, that claims and gives back."""

    def __init__(self, side: Ours, lanes: Sequence[Lane]) -> None:
        self._claims = side.backend.claims
        self._session = SessionId(str(uuid.uuid4()))
        self._lanes = tuple(lanes)
        self._calls = itertools.count(1)
        side.backend.sessions.register(
            NewSession(
                session_id=self._session,
                worker_id="claimer",
                ttl=timedelta(hours=1),
                lanes=self._lanes,
            )
        )

    def claim(self) -> list[Claim]:
        """Claim the best."""
        return self._claims.claim(self._session, next(self._calls), self._lanes, _BATCH)

    def timed(self) -> float:
        """Return how many ms a claim takes; what it gave is given back."""
        got: list[Claim] = []
        taken = seconds(lambda: got.extend(self.claim())) * 1e3
        assert len(got) == _BATCH
        self._claims.release([claim.lease for claim in got])
        return taken


def w12(settings: Settings) -> list[Result]:
    """Measure claims and submissions beside parked instances, and claims from a long queue."""
    with PostgresServer(fsync=True, settings=_SERVER) as server:
        full, empty = Ours(server.create_database("full")), Ours(server.create_database("empty"))
        queued = Ours(server.create_database("queued"))
        try:
            count = _parked(settings, full)
            return [
                *_beside_parked(settings, full, empty, f"beside {count:,} parked"),
                _long_queue(settings, queued),
            ]
        finally:
            for side in (full, empty, queued):
                side.close()


def _parked(settings: Settings, side: Ours) -> int:
    """Park instances; return how many."""
    count = settings.size(_PARKED)
    park(side, min(_WRITTEN, count))
    return _multiplied(side, count)


def _multiplied(side: Ours, count: int) -> int:
    ids = side.ids()
    multiply(side.dsn, ids, times=max(0, count // len(ids) - 1))
    return len(side.ids())


def _beside_parked(settings: Settings, full: Ours, empty: Ours, what: str) -> list[Result]:
    sides = {"ours": full, "limit": empty}
    names = ("sync", "parked", "delayed")
    lanes = [Lane(FLOWS[name].definition.identity, "") for name in names]
    for side in sides.values():
        for name in names:
            side.backend.definitions.save(FLOWS[name].definition)
    memory = _memory(settings, full, empty, what)
    for side in sides.values():
        side.fill("sync", 10 * _BATCH)
    claimers = {name: Claimer(side, lanes) for name, side in sides.items()}
    claims = take_turns(_TURNS, {name: claimer.timed for name, claimer in claimers.items()})
    submits = take_turns(
        3 * settings.repeats, {name: partial(_submitted, side) for name, side in sides.items()}
    )
    target = Target(of="limit", at_most=1.1)
    return [
        Result(workload="W12", what=f"claim {what}", unit="ms", times=claims, target=target),
        Result(workload="W12", what=f"submit {what}", unit="µs", times=submits, target=target),
        memory,
    ]


def _memory(settings: Settings, full: Ours, empty: Ours, what: str) -> Result:
    """Compare what worker processes have in memory, MiB, which drain the same beside both."""
    with children(full, 1) as (ours,), children(empty, 1) as (limit,):
        sides = {
            "ours": partial(_resident, settings, full, ours),
            "limit": partial(_resident, settings, empty, limit),
        }
        times = take_turns(settings.repeats, sides)
    target = Target(of="limit", at_most=1.1)
    return Result(workload="W12", what=f"worker {what}", unit="MiB", times=times, target=target)


def _resident(settings: Settings, side: Ours, worker: Child) -> float:
    drained(side, [worker], "sync", settings.size(_DRAINED), serving=_SERVING)
    return worker.resident()


def _submitted(side: Ours) -> float:
    """Return how many µs an instance takes that is submitted with many."""
    return seconds(lambda: side.fill("sync", _SUBMITTED)) * 1e6 / _SUBMITTED


def _long_queue(settings: Settings, side: Ours) -> Result:
    flows = [_with_priority(lane, priority) for lane in range(3) for priority in range(1, 6)]
    numbers = itertools.count()
    for flow in flows:
        side.client.submit_many(flow, [(f"queued-{next(numbers)}", 1) for _ in range(10)])
    count = _multiplied(side, settings.size(_QUEUED))
    # Priorities are no part of a definition's identity: these are three lanes.
    lanes = sorted({Lane(flow.definition.identity, "") for flow in flows})
    claimer = Claimer(side, lanes)
    times = take_turns(_TURNS, {"ours": claimer.timed})
    interval = side.backend.claims.aging_interval
    order = [claim_order(claim.cursor, interval) for claim in claimer.claim()]
    assert order == sorted(order)
    assert {claim.cursor.priority for claim in claimer.claim()} == {1}
    target = Target(of="itself", at_most=20.0)
    what = f"claim {_BATCH} of {count:,}"
    return Result(workload="W12", what=what, unit="ms", times=times, target=target)


def _with_priority(lane: int, priority: int) -> Any:
    @task(priority=priority)
    def step(x: int) -> int:
        return x

    flow: Any = Flow(f"queue-{lane}")
    return flow.then(step).build()
