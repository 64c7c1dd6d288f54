"""The SQLite backend does what every backend must do."""

from datetime import timedelta
from pathlib import Path

import pytest

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
    ResultConformance,
    SessionConformance,
    SignalConformance,
    WakeupConformance,
)
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
