"""What PostgreSQL's tables become under load: heap-only updates, log, bloat, dead rows, claims.

The store ports of PostgreSQL are driven by a plain loop on a private server whose commits reach the
disk: instances are created, claimed in batches and stepped until they end, again and again, so that
every table but those that keep history is empty after each round. ``soak`` does that for a number
of steps. ``held`` does it while another connection holds a transaction open, and after it has
ended. ``compare`` tries storage settings side by side.

Usage: pg_storage.py soak|held|compare [--steps 1000000] [--seconds 120] [--naptime 60]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from pg_pipeline import PortsPool

from sayiir_core.snapshot.answer import Claim
from sayiir_pytest.postgres_server import PostgresServer

_STEPS = 10
_INSTANCES = 5_000
_BATCH = 200
_VARIANTS = {
    "as it is": "",
    "cursors fillfactor 100": "ALTER TABLE sayiir.cursors SET (fillfactor = 100)",
    "cursors fillfactor 80": "ALTER TABLE sayiir.cursors SET (fillfactor = 80)",
    "cursors fillfactor 40": "ALTER TABLE sayiir.cursors SET (fillfactor = 40)",
    "instances fillfactor 100": "ALTER TABLE sayiir.instances SET (fillfactor = 100)",
}


class TimedPool(PortsPool):
    """A loop over the ports that knows how long its claims took, in ms."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, _STEPS, mixed=True)
        self.claims: list[float] = []

    def claim(self, limit: int) -> list[Claim]:
        start = time.perf_counter()
        claims = super().claim(limit)
        self.claims.append((time.perf_counter() - start) * 1e3)
        return claims


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A database at one moment; sizes in MiB, counters since its beginning."""

    log: float
    sizes: dict[str, float]
    indexes: dict[str, float]
    dead: dict[str, int]
    updates: dict[str, tuple[int, int]]
    vacuums: dict[str, int]


class Watcher:
    """Look at the tables of a database from a connection of its own."""

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True)

    def look(self) -> Sample:
        """Return how things stand; what the server counts appears a second later."""
        tables = self._rows(
            "SELECT relname, pg_table_size(relid), n_dead_tup, n_tup_upd, n_tup_hot_upd, "
            "autovacuum_count FROM pg_stat_user_tables WHERE schemaname = 'sayiir'"
        )
        indexes = self._rows(
            "SELECT indexrelname, pg_relation_size(indexrelid) FROM pg_stat_user_indexes "
            "WHERE schemaname = 'sayiir' AND relname IN ('cursors', 'instances', 'steps')"
        )
        (log,) = self._rows("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")
        return Sample(
            log=float(log[0]),
            sizes={row[0]: row[1] / 2**20 for row in tables},
            indexes={row[0]: row[1] / 2**20 for row in indexes},
            dead={row[0]: row[2] for row in tables},
            updates={row[0]: (row[3], row[4]) for row in tables},
            vacuums={row[0]: row[5] for row in tables},
        )

    def _rows(self, query: LiteralString) -> list[tuple[Any, ...]]:
        return self.connection.execute(query).fetchall()

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


@contextmanager
def _side(server: PostgresServer, name: str, change: str = "") -> Generator[tuple[Any, Watcher]]:
    dsn = server.create_database(name)
    pool, watcher = TimedPool(dsn), Watcher(dsn)
    if change:
        watcher.connection.execute(change.encode())
    try:
        yield pool, watcher
    finally:
        watcher.close()
        pool.close()


def _soak(server: PostgresServer, steps: int) -> None:
    with _side(server, "soak") as (pool, watcher):
        before, start, done = watcher.look(), time.perf_counter(), 0
        every = max(_INSTANCES * _STEPS, steps // 10)
        print(_HEAD)
        while done < steps:
            pool.fill(_INSTANCES)
            done += pool.drain(_BATCH)
            if done % every < _INSTANCES * _STEPS:
                _print(f"{done:,} steps", watcher.look(), pool.claims)
                pool.claims.clear()
        taken = time.perf_counter() - start
        time.sleep(1.5)
        print(f"{done / taken:,.0f} steps/s")
        _summary(before, watcher.look(), done)


def _held(server: PostgresServer, seconds: float) -> None:
    with _side(server, "held") as (pool, watcher):
        print(_HEAD)
        _work(pool, watcher, "before", seconds / 4)
        with psycopg.connect(watcher.connection.info.dsn, user="postgres") as other:
            other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            other.execute("SELECT count(*) FROM sayiir.instances")
            _work(pool, watcher, "held", seconds)
        _work(pool, watcher, "after", seconds / 2)


def _work(pool: TimedPool, watcher: Watcher, what: str, seconds: float) -> None:
    start, done, shown = time.perf_counter(), 0, 0
    while (elapsed := time.perf_counter() - start) < seconds:
        pool.fill(_INSTANCES // 5)
        done += pool.drain(_BATCH)
        if elapsed >= shown * seconds / 6:
            shown += 1
            _print(f"{what} {elapsed:3.0f} s {done:,}", watcher.look(), pool.claims)
            pool.claims.clear()


def _compare(server: PostgresServer, steps: int) -> None:
    for number, (name, change) in enumerate(_VARIANTS.items()):
        with _side(server, f"variant{number}", change) as (pool, watcher):
            before, done, start = watcher.look(), 0, time.perf_counter()
            while done < steps:
                pool.fill(_INSTANCES)
                done += pool.drain(_BATCH)
            taken = time.perf_counter() - start
            time.sleep(1.5)
            print(f"{name}: {done / taken:,.0f} steps/s")
            _summary(before, watcher.look(), done)


_HEAD = (
    f"{'':<24} {'claim p50':>9} {'p99':>7} {'dead':>8} {'cursors':>8} {'queue':>7} {'key':>7} "
    f"{'instances':>9} {'steps':>7} {'vacuums':>8}   (ms, rows, MiB)"
)


def _print(what: str, sample: Sample, claims: Sequence[float]) -> None:
    hundredths = statistics.quantiles(claims, n=100)
    print(
        f"{what:<24} {hundredths[49]:>9.2f} {hundredths[98]:>7.1f} {sample.dead['cursors']:>8,} "
        f"{sample.sizes['cursors']:>8.1f} {sample.indexes['cursors_queue']:>7.2f} "
        f"{sample.indexes['cursors_pkey']:>7.2f} {sample.sizes['instances']:>9.1f} "
        f"{sample.sizes['steps']:>7.1f} {sample.vacuums['cursors']:>8}",
        flush=True,
    )


def _summary(before: Sample, after: Sample, done: int) -> None:
    instances = done // _STEPS
    updates, hot = after.updates["cursors"]
    moves = updates - instances
    print(f"  log {(after.log - before.log) / done:.0f} B per step")
    print(f"  cursors: {hot / moves:.1%} of {moves:,} kept moves within their page")
    updates, hot = after.updates["instances"]
    print(f"  instances: {hot / max(1, updates):.1%} of {updates:,} ends within their page")
    for table in ("cursors", "instances", "steps"):
        indexes = {n: s for n, s in after.indexes.items() if n.startswith(table)}
        print(
            f"  {table}: {after.sizes[table]:.1f} MiB, dead {after.dead[table]:,}, vacuumed "
            f"{after.vacuums[table]} times, "
            + ", ".join(f"{n} {s:.1f}" for n, s in indexes.items())
        )


def main() -> None:
    """Do what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=("soak", "held", "compare"))
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--naptime", type=int, default=60, help="the server's default is 60 s")
    chosen = parser.parse_args()
    settings = {"shared_buffers": "512MB", "autovacuum_naptime": f"{chosen.naptime}s"}
    with PostgresServer(fsync=True, settings=settings) as server:
        if chosen.mode == "soak":
            _soak(server, chosen.steps)
        elif chosen.mode == "held":
            _held(server, chosen.seconds)
        else:
            _compare(server, min(chosen.steps, 200_000))


if __name__ == "__main__":
    main()
