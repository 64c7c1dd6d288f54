"""A claim among two hundred thousand queued cursors: the best ones, from as few pages as ever."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from benchmarks.multiply import multiply
from sayiir import Flow, PostgresBackend, WorkflowClient, task
from sayiir_core.ids import SessionId
from sayiir_core.ports.sessions import NewSession
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.control import claim_order
from sayiir_core.snapshot.head import Lane
from sayiir_postgres.numbered import numbered

QUEUED = 200_000
BATCH = 100
LANES = 3
PRIORITIES = range(1, 6)
SHIFT = timedelta(seconds=-290)
"""How far the copies stand apart in the queue: far enough that waiting outweighs priority."""


def flow_of(lane: int, priority: int) -> Any:
    """Return one step; priorities are no part of its identity, so these are few lanes."""

    @task(priority=priority)
    def step(value: int) -> int:
        return value

    flow: Any = Flow(f"queue-{lane}")
    return flow.then(step).build()


class Queue:
    """A store with cursors of every lane and priority, and a session that claims them."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.backend = PostgresBackend(dsn)
        client = WorkflowClient(self.backend)
        flows = [flow_of(lane, priority) for lane in range(LANES) for priority in PRIORITIES]
        self.ids: list[str] = []
        for number, flow in enumerate(flows):
            ids = [f"queued-{number}-{n}" for n in range(10)]
            client.submit_many(flow, [(id_, 1) for id_ in ids])
            self.ids += ids
        self.lanes = sorted({Lane(flow.definition.identity, "") for flow in flows})
        self.session = SessionId(str(uuid.uuid4()))
        self.backend.sessions.register(
            NewSession(
                session_id=self.session, worker_id="claimer", ttl=timedelta(hours=1), lanes=()
            )
        )
        self._calls = itertools.count(1)
        self._times = 1

    def grow(self, count: int) -> None:
        """Add copies until there are so many cursors, or nearly."""
        times = count // len(self.ids) - self._times
        multiply(self.dsn, self.ids, times=times, first=self._times, shift=SHIFT)
        self._times += times

    def claim(self, limit: int = BATCH) -> list[Claim]:
        """Claim the best."""
        return self.backend.claims.claim(self.session, next(self._calls), self.lanes, limit)

    def ranks(self, limit: int) -> list[datetime]:
        """Return the places of the best in the order of the queue, as a plain sort tells it."""
        with psycopg.connect(self.dsn) as connection:
            rows = connection.execute(
                "SELECT queued_at + queue_priority * %s AS rank FROM sayiir.cursors "
                "WHERE queued_at <= clock_timestamp() ORDER BY rank LIMIT %s",
                (self.backend.claims.aging_interval, limit),
            ).fetchall()
        return [row[0] for row in rows]

    def pages(self) -> tuple[int, int, int]:
        """Return how many pages a claim visits, which is then taken back.

        Of all of them, those of its first and those of its second look at the queue. It is made three
        times, of which the last counts: the first ones find out what is dead.
        """
        claims, database = self.backend.claims, self.backend._database
        text, names = numbered(database.statements["claim"])
        lanes = claims._lanes.numbers(self.lanes)
        parameters = claims._parameters(self.session, 0, lanes, BATCH, BATCH + 32)
        explain = b"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) " + text

        def work(connection: psycopg.Connection[Any]) -> dict[str, Any]:
            cursor = psycopg.RawCursor(connection)
            for _ in range(3):
                with connection.transaction(force_rollback=True):
                    cursor.execute(explain, [parameters[name] for name in names])
                    row = cursor.fetchone()
            assert row is not None
            plan: dict[str, Any] = row[0][0]["Plan"]
            return plan

        root = database.run(work)
        looks = [n for n in nodes(root) if n.get("Index Name") == "cursors_queue"]
        assert BATCH == root["Actual Rows"]
        # A bitmap would be made of all that is queued before the bound, whatever the limit.
        assert ["Index Scan", "Index Scan"] == [node["Node Type"] for node in looks]
        first, second = looks
        return visited(root), visited(first), visited(second)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give a node of a plan and all below it."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def visited(node: dict[str, Any]) -> int:
    """Return how many pages a node and all below it visited."""
    return int(node["Shared Hit Blocks"] + node["Shared Read Blocks"])


@pytest.fixture
def queue(postgres_database: str) -> Iterator[Queue]:
    """Give a queue in a database of its own."""
    made = Queue(postgres_database)
    yield made
    made.backend.close()


@pytest.mark.slow
def test_the_best_of_many_are_claimed_in_their_order(
    queue: Queue, size: Callable[[int], int]
) -> None:
    """Give what a sort of the whole queue would put first, call by call."""
    queue.grow(size(QUEUED))
    expected = queue.ranks(5 * BATCH)

    claims = [claim for _ in range(5) for claim in queue.claim()]

    interval = queue.backend.claims.aging_interval
    assert expected == [claim_order(claim.cursor, interval) for claim in claims]
    assert set(PRIORITIES) == {claim.cursor.priority for claim in claims}
    assert set(queue.lanes) == {Lane(claim.identity, "") for claim in claims}


@pytest.mark.slow
def test_a_claim_visits_as_many_pages_among_many_as_among_few(
    queue: Queue, size: Callable[[int], int]
) -> None:
    """Visit a few pages per claimed cursor, and no more where a hundred times as many wait."""
    queue.grow(size(QUEUED) // 100)
    among_few, *_ = queue.pages()
    queue.grow(size(QUEUED))
    among_many, *_ = queue.pages()

    assert among_few < 20 * BATCH
    assert among_many < 1.3 * among_few


@pytest.mark.slow
def test_what_left_the_queue_under_an_open_transaction_is_passed_once(
    queue: Queue, size: Callable[[int], int]
) -> None:
    """Walk over the dead entries in front of the queue at the first look, not at the second."""
    queue.grow(size(QUEUED) // 4)
    _, first_before, second_before = queue.pages()
    with psycopg.connect(queue.dsn) as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT FROM sayiir.cursors LIMIT 1")
        gone = sum(len(queue.claim(500)) for _ in range(6))
        assert 3000 == gone
        _, first, second = queue.pages()

    assert first > 2 * first_before
    assert second - second_before < (first - first_before) / 10
