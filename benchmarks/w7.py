"""W7: a fork of 100 branches and its join on PostgreSQL, from the submission to the result.

The worker is a process of its own. The limit writes 100 branches, ends them and joins them in three
batched statements on one connection, with nobody to wake.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from guests import guests
from measure import Result, Settings, Side, Target, seconds, take_turns
from pool import children, sides
from pool_child import PAYLOAD
from pool_flows import BRANCHES, FLOWS

from sayiir_pytest.postgres_server import PostgresServer

_TABLES = """
CREATE TABLE fork (id bigint PRIMARY KEY, pending int NOT NULL);
CREATE TABLE branch (fork bigint, number int, node int NOT NULL, PRIMARY KEY (fork, number));
CREATE TABLE result (fork bigint, number int, output bytea, PRIMARY KEY (fork, number));
"""
_SPAWN = """
WITH born AS (INSERT INTO fork VALUES (%(fork)s, %(count)s))
INSERT INTO branch SELECT %(fork)s, n, 0 FROM generate_series(1, %(count)s) AS n
"""
_ARRIVE = """
WITH gone AS (DELETE FROM branch WHERE fork = %(fork)s RETURNING number),
kept AS (
    INSERT INTO result
    SELECT %(fork)s, b.number, b.output
    FROM unnest(%(numbers)s::int[], %(outputs)s::bytea[]) AS b (number, output)
    JOIN gone ON gone.number = b.number
)
UPDATE fork SET pending = pending - (SELECT count(*) FROM gone) WHERE id = %(fork)s
"""
_JOIN = "SELECT output FROM result WHERE fork = %(fork)s ORDER BY number"
_RUNS = 10


def w7(settings: Settings) -> list[Result]:
    """Measure one fork after the other."""
    with (
        PostgresServer(fsync=True) as server,
        forking(server, _RUNS) as made,
        guests(settings, "w7", server, count=_RUNS) as peers,
    ):
        times = take_turns(settings.repeats, made, peers)
    return [
        Result(
            workload="W7",
            what="fork of 100",
            unit="ms",
            times=times,
            target=Target(of="limit", at_most=4),
            notes=peers.notes,
        )
    ]


@contextmanager
def forking(server: PostgresServer, runs: int) -> Generator[dict[str, Side]]:
    """Give the sides, each of ``runs`` forks."""
    numbers = itertools.count()
    with (
        sides(server, "w7") as made,
        children(made["ours"], 1) as workers,
        psycopg.connect(made["limit"].dsn, autocommit=True, prepare_threshold=1) as raw,
    ):
        raw.execute(_TABLES)
        client = made["ours"].client

        def ours() -> None:
            for _ in range(runs):
                handle = client.submit(FLOWS["fan"], f"i{next(numbers)}", 1)
                assert handle.result(timeout=60) == 3 * BRANCHES

        def limit() -> None:
            for _ in range(runs):
                one = {"fork": next(numbers), "count": BRANCHES}
                raw.execute(_SPAWN, one)
                columns = {"numbers": list(range(1, BRANCHES + 1)), "outputs": [PAYLOAD] * BRANCHES}
                raw.execute(_ARRIVE, one | columns)
                assert len(raw.execute(_JOIN, one).fetchall()) == BRANCHES

        workers[0].tell("run fan", "running")
        yield {
            "ours": lambda: seconds(ours) / runs * 1e3,
            "limit": lambda: seconds(limit) / runs * 1e3,
        }
        workers[0].tell("stop", "stopped")
