"""W4: ten steps on PostgreSQL, one instance at a time, against one statement per step.

The server is private and thrown away afterwards; its commits reach the disk.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from chain import STEPS, chain, inc
from guests import guests
from measure import Result, Settings, Side, Target, seconds, take_turns

from sayiir import PostgresBackend, run_durable_workflow
from sayiir_pytest.postgres_server import PostgresServer

_TABLES = """
CREATE TABLE instance(id bigint PRIMARY KEY, step int NOT NULL, status smallint NOT NULL, data bytea);
CREATE TABLE step(instance bigint, step int, output bytea, PRIMARY KEY (instance, step));
"""
_CHECKPOINT = """
WITH moved AS (UPDATE instance SET step = %s, data = %s WHERE id = %s RETURNING id)
INSERT INTO step SELECT id, %s, %s FROM moved
"""


def w4(settings: Settings) -> list[Result]:
    """Measure a step that is one round trip to a server on this machine."""
    count = settings.size(40)
    with (
        PostgresServer(fsync=True) as server,
        on_server(server, count) as sides,
        guests(settings, "w4", server, count=count) as peers,
    ):
        times = take_turns(settings.repeats, sides, peers)
    return [
        Result(
            workload="W4",
            what="PostgreSQL",
            unit="ms/step",
            times=times,
            target=Target(of="limit", at_most=1.2),
            notes=peers.notes,
        )
    ]


@contextmanager
def on_server(server: PostgresServer, count: int) -> Generator[dict[str, Side]]:
    """Give the sides, each of ``count`` chains in a database of its own."""
    workflow = chain(inc)
    backend = PostgresBackend(server.create_database("w4_ours"))
    raw = _RawStore(server.create_database("w4_limit"))
    numbers = itertools.count()

    def ours() -> None:
        for _ in range(count):
            status = run_durable_workflow(workflow, f"i{next(numbers)}", 0, backend)
            assert status.output == STEPS

    scale = 1e3 / (count * STEPS)
    try:
        yield {
            "ours": lambda: seconds(ours) * scale,
            "limit": lambda: seconds(lambda: raw.run(count)) * scale,
        }
    finally:
        backend.close()
        raw.close()


class _RawStore:
    """The least that a durable step can be: one statement in one round trip."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(dsn, autocommit=True)
        self._connection.execute(_TABLES)
        self._numbers = itertools.count()

    def run(self, count: int) -> None:
        """Write the rows of ``count`` chains."""
        execute = self._connection.execute
        for _ in range(count):
            key = next(self._numbers)
            execute("INSERT INTO instance VALUES(%s, 0, 1, %b)", (key, b"0"))
            for step in range(STEPS):
                data = b"%d" % step
                execute(_CHECKPOINT, (step, data, key, step, data))

    def close(self) -> None:
        self._connection.close()
