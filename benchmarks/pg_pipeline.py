"""W5 without a worker: the store ports of PostgreSQL, driven by a plain loop, against the limit.

Both sides do the same work on one connection of a private server whose commits reach the disk:
claim a batch, commit its steps batch by batch, end it. They take turns, and each turn compares
steps per second, the CPU time of client and server, the log written, and the share of updates that
touched no index.

Usage: pg_pipeline.py [--seconds 20] [--batch 200] [--instances 4000] [--steps 4] [--mixed]
"""

from __future__ import annotations

import argparse
import statistics
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString, Protocol

import psycopg
from pg_raw import RawPool

from sayiir import PostgresBackend
from sayiir_core.ids import InstanceId, RunId, SessionId
from sayiir_core.ports.instances import NewInstance
from sayiir_core.ports.sessions import NewSession
from sayiir_core.snapshot.answer import COMMITTED, Claim
from sayiir_core.snapshot.effect import Checkpoint, Effect, Finish, Move, Record
from sayiir_core.snapshot.head import Lane
from sayiir_core.snapshot.reference import StepRef
from sayiir_core.snapshot.step import StepRecord, StepStatus
from sayiir_pytest.conformance.sample import linear
from sayiir_pytest.postgres_server import PostgresServer

PAYLOAD = b'SY\x01\x00\x00\x00\x00\x00{"customer":4711}'


class Pool(Protocol):
    """What is measured."""

    cursors: str

    def fill(self, count: int) -> None: ...

    def drain(self, batch: int) -> int: ...


class PortsPool:
    """The store's ports, with no worker between them."""

    cursors = "cursors"

    def __init__(self, dsn: str, steps: int, *, mixed: bool) -> None:
        self.backend = PostgresBackend(dsn)
        self._steps = steps
        self._mixed = mixed
        self._definition = linear("flow", tasks=steps)
        self.backend.definitions.save(self._definition)
        self._lane = Lane(self._definition.identity, "")
        self._session = SessionId(str(uuid.uuid4()))
        self.backend.sessions.register(
            NewSession(
                session_id=self._session,
                worker_id="loop",
                ttl=timedelta(hours=1),
                lanes=(self._lane,),
            )
        )
        self._calls = 0

    def fill(self, count: int) -> None:
        """Create instances."""
        self.backend.instances.create([self._new() for _ in range(count)])

    def _new(self) -> NewInstance:
        return NewInstance(
            instance_id=InstanceId(f"instance-{uuid.uuid4()}"),
            run_id=self.new_run(),
            identity=self._definition.identity,
            policy_fingerprint="",
            input=PAYLOAD,
            node=0,
            group="",
            priority=3,
        )

    def new_run(self) -> RunId:
        """Return a fresh run id, as random as those of the runtime."""
        return RunId(str(uuid.uuid4()))

    def drain(self, batch: int) -> int:
        """Run everything; return the number of steps."""
        return self._drain_mixed(batch) if self._mixed else self._drain_even(batch)

    def _drain_even(self, batch: int) -> int:
        done = 0
        while claims := self.claim(batch):
            for node in range(self._steps):
                self._commit([(claim, node) for claim in claims])
            done += len(claims) * self._steps
        return done

    def _drain_mixed(self, batch: int) -> int:
        """Keep cursors at every node in hand, so that each batch moves some and ends others."""
        done = 0
        hands: list[tuple[Claim, int]] = []
        while True:
            hands += [(claim, 0) for claim in self.claim(batch // self._steps)]
            if not hands:
                return done
            self._commit(hands)
            done += len(hands)
            hands = [(claim, node + 1) for claim, node in hands if node + 1 < self._steps]

    def claim(self, limit: int) -> list[Claim]:
        """Claim a batch."""
        self._calls += 1
        return self.backend.claims.claim(self._session, self._calls, [self._lane], limit)

    def _commit(self, hands: Sequence[tuple[Claim, int]]) -> None:
        batch = [
            Checkpoint(claim.lease, claim.cursor.seq + node, self._effects(node))
            for claim, node in hands
        ]
        assert self.backend.checkpoints.commit(batch) == [COMMITTED] * len(batch)

    def _effects(self, node: int) -> tuple[Effect, ...]:
        now = datetime.now(UTC)
        record = Record(
            StepRecord(node, (), 1, StepStatus.SUCCEEDED, PAYLOAD, None, None, None, now, now)
        )
        if node == self._steps - 1:
            return record, Finish(StepRef(node))
        return record, Move(node + 1, (), StepRef(node), "", 3)

    def close(self) -> None:
        """End the session and close the connections."""
        self.backend.close()


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of one side took, per step."""

    wall: float
    client: float
    server: float
    log_bytes: float

    @property
    def rate(self) -> float:
        return 1e6 / self.wall


class Meter:
    """Look at a database from a connection of its own."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(dsn, autocommit=True)

    def take(self, pool: Pool, instances: int, batch: int) -> Turn:
        """Fill, then measure the draining."""
        pool.fill(instances)
        log, server = self._log(), self._server_seconds()
        client, start = time.process_time(), time.perf_counter()
        steps = pool.drain(batch)
        wall, client = time.perf_counter() - start, time.process_time() - client
        server, log = self._server_seconds() - server, self._log() - log
        return Turn(wall / steps * 1e6, client / steps * 1e6, server / steps * 1e6, log / steps)

    def hot_share(self, table: str) -> float:
        """Return the share of updates of a table that touched no index."""
        time.sleep(1.5)  # until the server has published its counters
        (updates, hot) = self._row(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = %s", table
        )
        return hot / updates

    def _log(self) -> int:
        return int(self._row("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")[0])

    def _server_seconds(self) -> float:
        """Return the CPU time of this database's server processes, where the system tells it."""
        (pids,) = self._row(
            "SELECT array_agg(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        try:
            files = [Path(f"/proc/{pid}/schedstat").read_text() for pid in pids]
        except OSError:
            return 0.0
        return sum(int(text.split()[0]) for text in files) / 1e9

    def _row(self, query: LiteralString, *parameters: object) -> tuple[Any, ...]:
        row = self._connection.execute(query, parameters or None).fetchone()
        assert row is not None
        return row

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def main() -> None:
    """Let both sides take turns for a while, and print medians."""
    chosen = _arguments()
    with PostgresServer(fsync=True, settings={"shared_buffers": "512MB"}) as server:
        dsns = {name: server.create_database(name) for name in ("limit", "ports")}
        pools: dict[str, Any] = {
            "limit": RawPool(dsns["limit"], chosen.steps, PAYLOAD),
            "ports": PortsPool(dsns["ports"], chosen.steps, mixed=chosen.mixed),
        }
        meters = {name: Meter(dsn) for name, dsn in dsns.items()}
        turns: dict[str, list[Turn]] = {name: [] for name in pools}
        deadline = time.monotonic() + chosen.seconds
        for name, pool in pools.items():
            meters[name].take(pool, chosen.instances // 10, chosen.batch)
        while not turns["ports"] or time.monotonic() < deadline:
            for name, pool in pools.items():
                turns[name].append(meters[name].take(pool, chosen.instances, chosen.batch))
        for name, pool in pools.items():
            _print(name, turns[name], meters[name].hot_share(pool.cursors))
        ratios = [p.rate / raw.rate for raw, p in zip(turns["limit"], turns["ports"], strict=True)]
        cpu = [
            (p.client + p.server) / (raw.client + raw.server)
            for raw, p in zip(turns["limit"], turns["ports"], strict=True)
        ]
        print(
            f"ports / limit: {statistics.median(ratios):.2f} of its rate, "
            f"{statistics.median(cpu):.2f} times its CPU time, median of {len(ratios)} turns"
        )
        for it in (*pools.values(), *meters.values()):
            it.close()


def _print(name: str, turns: Sequence[Turn], hot: float) -> None:
    def median(field: str) -> float:
        return statistics.median(getattr(turn, field) for turn in turns)

    print(
        f"{name:<6} {median('rate'):>8.0f} steps/s  client {median('client'):>5.1f} µs  "
        f"server {median('server'):>5.1f} µs  log {median('log_bytes'):>5.0f} B  HOT {hot:.0%}"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--instances", type=int, default=4000)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--mixed", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
