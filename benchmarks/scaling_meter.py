"""What a stretch of work cost a private server, its clients and the machine, in counts and CPU time.

Everything but the rate is counted and not timed, so that it means the same on a busy machine: CPU time
of all server processes (backends, writers, vacuum) and of all worker processes, bytes and full pages of
the log, syncs, transactions. ``others`` is what everybody else on the machine used meanwhile, and
``idle`` what nobody did: they tell how much of the machine there was to have.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from pool import Child

from sayiir_pytest.postgres_server import PostgresServer

_TICKS = os.sysconf("SC_CLK_TCK")
_OUR_TABLES = ("steps", "cursors", "instances", "scopes")


@dataclass(frozen=True, slots=True)
class Reading:
    """Sums since the start of the server; seconds, and bytes of log."""

    wall: float
    server: float
    clients: float
    machine: float
    idle: float
    log: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What server processes tell when they end or are idle: full pages logged, syncs, transactions."""

    full_pages: int
    syncs: int
    transactions: int

    def __sub__(self, other: Counts) -> Counts:
        return Counts(
            self.full_pages - other.full_pages,
            self.syncs - other.syncs,
            self.transactions - other.transactions,
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """What one stretch took in all; CPU in seconds, log in bytes."""

    steps: int
    instances: int
    wall: float
    server: float
    clients: float
    others: float
    idle: float
    log: int

    def row(self, counts: Counts) -> dict[str, float]:
        """Return the totals, with what they are per step in the units of the documentation."""
        return {
            **asdict(self),
            **asdict(counts),
            "steps_per_second": self.steps / self.wall,
            "server_us": self.server / self.steps * 1e6,
            "client_us": self.clients / self.steps * 1e6,
            "log_per_step": self.log / self.steps,
            "transactions_per_step": counts.transactions / self.steps,
        }


class ServerMeter:
    """Read a server, its database and the worker processes of this benchmark."""

    def __init__(self, server: PostgresServer, dsn: str) -> None:
        self._server = server
        self._connection = psycopg.connect(dsn, autocommit=True)

    def read(self, workers: Sequence[Child]) -> Reading:
        """Return where the sums stand now."""
        (log,) = self._row("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")
        busy, idle = _machine_seconds()
        return Reading(
            wall=time.perf_counter(),
            server=_server_seconds(self._server.pid),
            clients=sum(child.cpu_seconds() for child in workers),
            machine=busy,
            idle=idle,
            log=int(log),
        )

    def counts(self) -> Counts:
        """Return the counters, which are complete when the processes that worked have ended."""
        self._connection.execute("SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot()")
        full, syncs = self._row("SELECT wal_fpi, wal_sync FROM pg_stat_wal")
        (ended,) = self._row(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database "
            "WHERE datname = current_database()"
        )
        return Counts(full, syncs, ended)

    def cost(self, before: Reading, after: Reading, *, steps: int, instances: int) -> Cost:
        """Return what lies between two readings."""
        server, clients = after.server - before.server, after.clients - before.clients
        return Cost(
            steps=steps,
            instances=instances,
            wall=after.wall - before.wall,
            server=server,
            clients=clients,
            others=max(0.0, after.machine - before.machine - server - clients),
            idle=after.idle - before.idle,
            log=after.log - before.log,
        )

    def checkpoint(self) -> None:
        """Write everything out, so that each page's next change is logged in full, once."""
        self._connection.execute("CHECKPOINT")

    def sizes(self) -> dict[str, dict[str, int]]:
        """Return the bytes of each table and of its indexes."""
        found = self._connection.execute(
            "SELECT relname, pg_table_size(relid), pg_indexes_size(relid) FROM pg_stat_user_tables "
            "WHERE schemaname = 'sayiir'"
        )
        return {
            name: {"table": table, "indexes": indexes}
            for name, table, indexes in found
            if name in _OUR_TABLES
        }

    def _row(self, query: LiteralString) -> tuple[Any, ...]:
        row = self._connection.execute(query).fetchone()
        assert row is not None
        return row

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _server_seconds(postmaster: int) -> float:
    """Return the CPU time of the postmaster, its living children and those that it has buried."""
    total = sum(int(field) for field in _stat(postmaster)[11:15]) / _TICKS
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if int(_stat(int(folder.name))[1]) == postmaster:
                    total += int((folder / "schedstat").read_text().split()[0]) / 1e9
            except OSError:
                continue  # it has just ended
    return total


def _machine_seconds() -> tuple[float, float]:
    """Return how long all cores together have been busy, and idle."""
    numbers = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = numbers[3] + numbers[4]
    return (sum(numbers) - idle) / _TICKS, idle / _TICKS


def _stat(pid: int) -> list[str]:
    """Return the fields behind the name, of which the second is the parent."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
