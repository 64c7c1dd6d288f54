"""Worker processes over a private server: how the pool's workloads start and watch them."""

from __future__ import annotations

import itertools
import os
import resource
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psycopg
from pg_raw import RawPool
from pool_child import PAYLOAD
from pool_flows import FLOWS, STEPS

from sayiir import PostgresBackend, WorkflowClient
from sayiir_pytest.postgres_server import PostgresServer

_CHILD = Path(__file__).with_name("pool_child.py")
_LOOK_SECONDS = 0.01
_LIMIT_SECONDS = 120.0
_numbers = itertools.count()
"""Each database of a server has a name of its own."""


class Child:
    """One process of ``pool_child.py``, or of another script that hears such lines."""

    def __init__(
        self,
        kind: str,
        dsn: str,
        *,
        script: Path = _CHILD,
        environment: dict[str, str] | None = None,
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(script), kind, dsn],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.hear("ready")

    def tell(self, words: str, answer: str) -> None:
        """Tell it something and await its answer."""
        _open(self._process.stdin).write(words + "\n")
        _open(self._process.stdin).flush()
        self.hear(answer)

    def ask(self, words: str) -> str:
        """Tell it something; return its answer."""
        _open(self._process.stdin).write(words + "\n")
        _open(self._process.stdin).flush()
        return self.line()

    def hear(self, word: str) -> None:
        """Await a word, skipping what bodies announce."""
        while (line := self.line()) != word:
            assert line, "the process has died"

    def line(self) -> str:
        """Return its next line."""
        return _open(self._process.stdout).readline().strip()

    def resident(self) -> float:
        """Return how much memory it has, in MiB, as Linux tells it."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20

    def cpu_seconds(self) -> float:
        """Return how much CPU time it has used with all its threads, as Linux tells it."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End it."""
        self._process.communicate()


class Ours:
    """Our store, filled by the client, drained by workers."""

    kind = "ours"
    _left = "SELECT count(*) FROM sayiir.cursors WHERE session IS NOT NULL OR state = 'ready'"
    _ids = "SELECT instance_id FROM sayiir.instances"

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.backend = PostgresBackend(dsn)
        self.client = WorkflowClient(self.backend)
        self._numbers = itertools.count()
        self._connection = psycopg.connect(dsn, autocommit=True)

    def fill(self, flow: str, count: int) -> None:
        """Submit instances."""
        items = [(f"{flow}-{next(self._numbers)}", 1) for _ in range(count)]
        self.client.submit_many(FLOWS[flow], items)

    def left(self) -> int:
        """Return how many cursors can be claimed, or are in the hands of a worker."""
        row = self._connection.execute(self._left.encode()).fetchone()
        assert row is not None
        return int(row[0])

    def ids(self) -> list[str]:
        """Return the ids of all instances."""
        return [row[0] for row in self._connection.execute(self._ids.encode())]

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()
        self.backend.close()


class Limit(Ours):
    """The raw tables, filled and drained by plain statements."""

    kind = "limit"
    _left = "SELECT count(*) FROM cursor"

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.pool = RawPool(dsn, STEPS, PAYLOAD)
        self._connection = psycopg.connect(dsn, autocommit=True)

    def fill(self, flow: str, count: int) -> None:
        """Insert instances, of four steps whatever the flow."""
        del flow
        self.pool.fill(count)

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()
        self.pool.close()


@contextmanager
def sides(server: PostgresServer, name: str) -> Generator[dict[str, Ours]]:
    """Make a database for each side."""
    databases = [f"{name}_{side}_{next(_numbers)}" for side in ("ours", "limit")]
    ours, limit = map(server.create_database, databases)
    made: dict[str, Ours] = {"ours": Ours(ours), "limit": Limit(limit)}
    try:
        yield made
    finally:
        for side in made.values():
            side.close()


@contextmanager
def children(side: Ours, count: int) -> Generator[list[Child]]:
    """Start worker processes, which wait to be told what to run."""
    started = [Child(side.kind, side.dsn) for _ in range(count)]
    try:
        yield started
    finally:
        for child in started:
            child.close()


def drained(side: Ours, workers: list[Child], flow: str, count: int, *, serving: str = "") -> float:
    """Return how many seconds the workers take for instances that were submitted first.

    They serve the flow alone, unless told others, too.
    """
    side.fill(flow, count)
    start = time.perf_counter()
    for worker in workers:
        worker.tell(f"run {serving or flow}", "running")
    while side.left():
        assert time.perf_counter() - start < _LIMIT_SECONDS, f"{side.left()} instances are left"
        time.sleep(_LOOK_SECONDS)
    taken = time.perf_counter() - start
    for worker in workers:
        worker.tell("stop", "stopped")
    return taken


def park(side: Ours, count: int) -> None:
    """Submit instances and let a worker bring them to where they wait."""
    flows = ("parked", "delayed")
    for flow in flows:
        side.fill(flow, count // 2)
    with children(side, 1) as (worker,):
        worker.tell(f"run {' '.join(flows)}", "running")
        while side.left():
            time.sleep(0.1)
        worker.tell("stop", "stopped")


def _open(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
