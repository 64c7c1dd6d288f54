"""The PostgreSQL backend does what every backend must do."""

import pytest

from sayiir_core.ports.clock import Clock
from sayiir_postgres import PostgresBackend
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


class OnPostgres:
    """How a PostgreSQL backend is made, on a schema of its own per test."""

    proves_death = True
    payload_limit = 4 * 1024 * 1024

    @pytest.fixture
    def location(self, place: tuple[str, str]) -> tuple[str, str]:
        """Return a database and the name of a schema that does not exist yet."""
        return place

    def make_backend(self, clock: Clock, location: tuple[str, str]) -> PostgresBackend:
        """Return a backend that tells the time by the clock of the test."""
        dsn, schema = location
        return PostgresBackend(
            dsn, schema=schema, clock=clock, max_payload_bytes=self.payload_limit
        )


class TestBackend(OnPostgres, BackendConformance): ...


class TestInstances(OnPostgres, InstanceConformance): ...


class TestDefinitions(OnPostgres, DefinitionConformance): ...


class TestCheckpoints(OnPostgres, CheckpointConformance): ...


class TestClaims(OnPostgres, ClaimConformance): ...


class TestOwnership(OnPostgres, OwnershipConformance): ...


class TestSessions(OnPostgres, SessionConformance): ...


class TestSignals(OnPostgres, SignalConformance): ...


class TestControl(OnPostgres, ControlConformance): ...


class TestResults(OnPostgres, ResultConformance): ...


class TestEquivalence(OnPostgres, EquivalenceConformance): ...


class TestRaces(OnPostgres, RaceConformance): ...


class TestWakeup(OnPostgres, WakeupConformance): ...
