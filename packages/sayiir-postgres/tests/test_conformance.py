"""The PostgreSQL backend does what every backend must do."""

from collections.abc import Mapping, Sequence

import psycopg
import pytest
from psycopg import sql

from sayiir_core.ids import RunKey
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
    RawConformance,
    ResultConformance,
    SessionConformance,
    SignalConformance,
    WakeupConformance,
)
from sayiir_pytest.conformance.rig import Rig


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


class PostgresRaw:
    """Read the schema by the driver alone."""

    def __init__(self, dsn: str, schema: str) -> None:
        self._connection = psycopg.connect(dsn, autocommit=True)
        self._schema = schema

    def rows(self, run: RunKey) -> Mapping[str, int]:
        """Count the rows of a run, table by table."""
        counts = {
            table: self._count("SELECT count(*) FROM {} WHERE run = %s", table, run.run_id)
            for table in ("instances", "cursors", "steps", "scopes")
        }
        signals = "SELECT count(*) FROM {} WHERE instance_id = %s"
        return {**counts, "signals": self._count(signals, "signals", run.instance_id)}

    def payloads(self, run: RunKey) -> Sequence[bytes]:
        """Return the input and every output."""
        inputs = self._select("SELECT input FROM {} WHERE run = %s", "instances", run.run_id)
        outputs = self._select(
            "SELECT output FROM {} WHERE run = %s AND output IS NOT NULL", "steps", run.run_id
        )
        return [bytes(payload) for (payload,) in (*inputs, *outputs)]

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def _count(self, text: str, table: str, key: str) -> int:
        ((count,),) = self._select(text, table, key)
        return int(count)

    def _select(self, text: str, table: str, key: str) -> list[tuple[object, ...]]:
        statement = sql.SQL(text).format(sql.Identifier(self._schema, table))  # type: ignore[arg-type]
        return self._connection.execute(statement, [key]).fetchall()


class TestRaw(OnPostgres, RawConformance):
    def raw_store(self, rig: Rig, location: tuple[str, str]) -> PostgresRaw:  # noqa: ARG002 - one of a protocol
        """Return a look into the schema."""
        return PostgresRaw(*location)
