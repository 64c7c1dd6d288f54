"""The SQLite backend does what every backend must do."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from sayiir_core.ids import RunKey
from sayiir_core.ports.clock import Clock
from sayiir_pytest.conformance import (
    BackendConformance,
    CheckpointConformance,
    ClaimConformance,
    ControlConformance,
    DefinitionConformance,
    EquivalenceConformance,
    InstanceConformance,
    OwnershipConformance,
    RaceConformance,
    RawConformance,
    ResultConformance,
    SessionConformance,
    SignalConformance,
    WakeupConformance,
)
from sayiir_pytest.conformance.rig import Rig
from sayiir_sqlite import SQLiteBackend


class OnSQLite:
    """How a SQLite backend is made, on a file of its own per test."""

    proves_death = True
    payload_limit = 4 * 1024 * 1024

    @pytest.fixture
    def location(self, tmp_path: Path) -> Path:
        """Return the path of a file that does not exist yet."""
        return tmp_path / "store.db"

    def make_backend(self, clock: Clock, location: Path) -> SQLiteBackend:
        """Return a backend that tells the time by the clock of the test."""
        return SQLiteBackend(
            location, clock=clock, synchronous="NORMAL", max_payload_bytes=self.payload_limit
        )


class TestBackend(OnSQLite, BackendConformance): ...


class TestInstances(OnSQLite, InstanceConformance): ...


class TestDefinitions(OnSQLite, DefinitionConformance): ...


class TestCheckpoints(OnSQLite, CheckpointConformance): ...


class TestClaims(OnSQLite, ClaimConformance): ...


class TestOwnership(OnSQLite, OwnershipConformance): ...


class TestSessions(OnSQLite, SessionConformance): ...


class TestSignals(OnSQLite, SignalConformance): ...


class TestControl(OnSQLite, ControlConformance): ...


class TestResults(OnSQLite, ResultConformance): ...


class TestEquivalence(OnSQLite, EquivalenceConformance): ...


class TestRaces(OnSQLite, RaceConformance): ...


class TestWakeup(OnSQLite, WakeupConformance):
    # Twice the longest time between two looks at what others wrote.
    hint_quiet = timedelta(seconds=0.5)


class SQLiteRaw:
    """Read the file by the driver alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers: dict[str, int] = {}

    def rows(self, run: RunKey) -> Mapping[str, int]:
        """Count the rows of a run, table by table."""
        with closing(sqlite3.connect(self._path)) as connection:
            number = self._number(connection, run)
            counts = {
                table: connection.execute(
                    f"SELECT count(*) FROM {table} WHERE run = ?",  # noqa: S608 - of a fixed list
                    [number],
                ).fetchone()[0]
                for table in ("instances", "inputs", "labels", "cursors", "steps", "scopes")
            }
            (signals,) = connection.execute(
                "SELECT count(*) FROM signals JOIN inboxes USING (inbox) WHERE instance_id = ?",
                [run.instance_id],
            ).fetchone()
        return {**counts, "signals": signals}

    def payloads(self, run: RunKey) -> Sequence[bytes]:
        """Return the input and every output."""
        with closing(sqlite3.connect(self._path)) as connection:
            number = self._number(connection, run)
            found = connection.execute(
                "SELECT payload FROM inputs WHERE run = ?1 UNION ALL "
                "SELECT output FROM steps WHERE run = ?1 AND output IS NOT NULL",
                [number],
            ).fetchall()
        return [payload for (payload,) in found]

    def close(self) -> None:
        """Nothing stays open."""

    def _number(self, connection: sqlite3.Connection, run: RunKey) -> int:
        """Return the number of a run, also of one that was there once."""
        found = connection.execute(
            "SELECT run FROM instances WHERE run_id = ?", [run.run_id]
        ).fetchone()
        return self._numbers.setdefault(run.run_id, -1 if found is None else found[0])


class TestRaw(OnSQLite, RawConformance):
    def raw_store(self, rig: Rig, location: Path) -> SQLiteRaw:  # noqa: ARG002 - one of a protocol
        """Return a look into the file."""
        return SQLiteRaw(location)
