"""Measure what a step costs a PostgreSQL server and its workers, by processes, rows and connections.

Worker processes with default settings drain instances that were submitted before, on a private server
whose commits reach the disk. Nothing here is compared with a limit: the results are the constants
of ``scaling_model.py``, and the runs against which it is checked.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from multiply import multiply
from pg_pipeline import Meter, PortsPool
from pool import Child, Ours, children
from scaling_meter import Counts, ServerMeter

from sayiir_core.ids import RunId
from sayiir_pytest.postgres_server import PostgresServer

SERVER = {"shared_buffers": "512MB", "max_connections": "400", "max_wal_size": "8GB"}
STEPS = {"sync1": 1, "sync": 4, "sync10": 10, "sync20": 20, "fork": 6}
"""The steps of each flow's instance."""

_LOOK_SECONDS = 0.01
_FAREWELL_SECONDS = 0.5
_PATIENCE_SECONDS = 180.0
_COPIED = 250
_BATCHES = (1, 10, 50, 200)

Row = dict[str, Any]


class Bench:
    """One database of a server, with the ways to have it worked off."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.side = Ours(server.create_database(name))
        self.side.backend.open()
        self.meter = ServerMeter(server, self.side.dsn)

    def drain(
        self, flow: str, steps: int, processes: int, *, behind_checkpoint: bool = False
    ) -> Row:
        """Let so many worker processes run about so many steps; return what that took."""
        instances = max(1, steps // STEPS[flow])
        # What it takes to start and to find nothing is taken off the counts.
        idle = self._drained(flow, 0, processes)[1]
        cost, counts = self._drained(flow, instances, processes, behind_checkpoint)
        row = cost.row(counts - Counts(0, idle.syncs, idle.transactions))
        return {"flow": flow, "processes": processes, **row}

    def _drained(
        self, flow: str, instances: int, processes: int, behind_checkpoint: bool = False
    ) -> tuple[Any, Counts]:
        if instances:
            self.side.fill(flow, instances)
        if behind_checkpoint:
            self.meter.checkpoint()
        counts = self.meter.counts()
        with children(self.side, processes) as workers:
            before = self.meter.read(workers)
            looks = self._run(flow, workers)
            after = self.meter.read(workers)
            for worker in workers:
                worker.tell("stop", "stopped")
        steps = max(1, instances * STEPS[flow])
        cost = self.meter.cost(before, after, steps=steps, instances=instances)
        # Server processes tell what they did when their client has gone.
        time.sleep(_FAREWELL_SECONDS)
        return cost, self.meter.counts() - counts - Counts(0, 0, looks)

    def _run(self, flow: str, workers: Sequence[Child]) -> int:
        """Let them work; return how often was looked, each a transaction that is not theirs."""
        start, looks = time.perf_counter(), 1
        for worker in workers:
            worker.tell(f"run {flow}", "running")
        while self.side.left():
            assert time.perf_counter() - start < _PATIENCE_SECONDS, "the workers do not get on"
            time.sleep(_LOOK_SECONDS)
            looks += 1
        return looks

    def grow(self, steps: int) -> None:
        """Copy finished chains of four until about so many more steps are stored."""
        ids = [name for name in self.side.ids() if name.startswith("sync-")][:_COPIED]
        multiply(self.side.dsn, ids, times=steps // (_COPIED * STEPS["sync"]))

    def close(self) -> None:
        """Close the connections."""
        self.meter.close()
        self.side.close()


@contextmanager
def bench(name: str) -> Generator[tuple[PostgresServer, Bench]]:
    """Start a server with a bench on it."""
    with PostgresServer(fsync=True, settings=SERVER) as server:
        made = Bench(server, name)
        try:
            yield server, made
        finally:
            made.close()


def by_processes(steps: int, processes: Sequence[int], repeats: int) -> list[Row]:
    """Measure chains of four by number of processes, and other shapes with one, taking turns."""
    shapes = [(flow, 1) for flow in STEPS] + [("sync", n) for n in processes if n > 1]
    shapes += [("fork", 2), ("sync10", 2)]
    rows = []
    with bench("processes") as (_, made):
        made.drain("sync", steps // 4, 1)
        for turn in range(repeats):
            for flow, count in shapes if turn % 2 == 0 else reversed(shapes):
                rows.append(made.drain(flow, steps, count))
                _told(rows[-1])
    return rows


def by_rows(steps: int, stored: int, repeats: int) -> list[Row]:
    """Measure chains of four beside few and many stored steps, each just behind a checkpoint or not."""
    rows = []
    with bench("rows") as (_, made):
        made.drain("sync", steps // 4, 1)
        for beside in (0, stored):
            if beside:
                made.grow(beside)
            for _ in range(repeats):
                for is_fresh in (False, True):
                    row = made.drain("sync", steps, 1, behind_checkpoint=is_fresh)
                    rows.append({"beside": beside, "behind_checkpoint": is_fresh, **row})
                    _told(rows[-1])
        rows.append({"beside": stored, "sizes": made.meter.sizes()})
        rows += _by_run_ids(made, stored, repeats)
    return rows


class Ordered(PortsPool):
    """A loop over the ports whose run ids begin with the time, as those of UUID version 7 do."""

    def new_run(self) -> RunId:
        """Return a run id that is greater than all before."""
        digits = f"{time.time_ns() // 1_000:016x}{os.urandom(8).hex()}"
        return RunId(str(uuid.UUID(digits)))


def _by_run_ids(made: Bench, stored: int, repeats: int) -> list[Row]:
    """Measure the log of chains of four, behind a checkpoint, by what their run ids begin with."""
    rows = []
    pools = {"random": PortsPool, "time": Ordered}
    for _ in range(repeats):
        for name, kind in pools.items():
            pool, meter = kind(made.side.dsn, 4, mixed=True), Meter(made.side.dsn)
            made.meter.checkpoint()
            turn = meter.take(pool, 4_000, 200)
            rows.append(
                {
                    "beside": stored,
                    "behind_checkpoint": True,
                    "run_ids": name,
                    "log_per_step": turn.log_bytes,
                    "server_us": turn.server,
                }
            )
            _told(rows[-1])
            meter.close()
            pool.close()
    return rows


def by_connections(seconds: float, idle: Sequence[int]) -> list[Row]:
    """Measure the store alone, batch by batch, beside idle connections."""
    rows = []
    with PostgresServer(fsync=True, settings=SERVER) as server:
        dsn = server.create_database("connections")
        pool, meter = PortsPool(dsn, 4, mixed=False), Meter(dsn)
        meter.take(pool, 400, 200)
        for count in idle:
            others = [psycopg.connect(dsn, autocommit=True) for _ in range(count)]
            for other in others:
                other.execute("SELECT 1")
            for batch in _BATCHES if count == 0 else (1, 200):
                rows.append({"idle": count, "batch": batch, **_store(pool, meter, batch, seconds)})
                _told(rows[-1])
            for other in others:
                other.close()
        meter.close()
        pool.close()
    return rows


def _store(pool: PortsPool, meter: Meter, batch: int, seconds: float) -> Row:
    turns = []
    end = time.perf_counter() + seconds
    while not turns or time.perf_counter() < end:
        turns.append(meter.take(pool, max(40, min(2_000, batch * 10)), batch))

    def median(field: str) -> float:
        return statistics.median(getattr(turn, field) for turn in turns)

    return {
        "turns": len(turns),
        "steps_per_second": median("rate"),
        "client_us": median("client"),
        "server_us": median("server"),
        "log_per_step": median("log_bytes"),
    }


def of_disk(seconds: float, sizes: Sequence[int] = (8192, 262_144)) -> list[Row]:
    """Measure what it takes to append and sync so many bytes where the servers' folders are."""
    rows = []
    for size in sizes:
        times: list[float] = []
        with tempfile.NamedTemporaryFile() as file:
            data = os.urandom(size)
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                start = time.perf_counter()
                os.pwrite(file.fileno(), data, len(times) % 64 * size)
                os.fdatasync(file.fileno())
                times.append(time.perf_counter() - start)
        cuts = statistics.quantiles(times, n=100)
        rows.append(
            {"bytes": size, "syncs": len(times), "ms": cuts[49] * 1e3, "p99_ms": cuts[98] * 1e3}
        )
        _told(rows[-1])
    return rows


def machine() -> Row:
    """Return what there is of this machine, and how busy it is."""
    return {
        "cores": os.cpu_count() or 1,
        "load": Path("/proc/loadavg").read_text().split()[0],
        "kernel": os.uname().release,
    }


def _told(row: Row) -> None:
    words = [
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in row.items()
        if name not in ("instances", "steps", "server", "clients")
    ]
    print("  " + "  ".join(words), flush=True)
