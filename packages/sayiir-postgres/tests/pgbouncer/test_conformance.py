"""Behind PgBouncer in transaction mode the PostgreSQL backend does what every backend must do."""

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

import psycopg
import pytest
from psycopg import sql

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

SCHEMA = "behind_pgbouncer"


class Behind(NamedTuple):
    """A schema, by way of the pooler and directly."""

    pooler: str
    server: str
    schema: str


def empty(dsn: str, schema: str) -> None:
    """Remove every row of a store; that takes half as long as to make its tables anew."""
    with psycopg.connect(dsn) as connection:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename != %s"
        rows = connection.execute(query, (schema, "migrations")).fetchall()
        tables = sql.SQL(", ").join(sql.Identifier(schema, name) for (name,) in rows)
        if rows:
            connection.execute(sql.SQL("TRUNCATE {}").format(tables))


class BehindPgBouncer:
    """How a backend is made that reaches its server through the pooler alone."""

    proves_death = True
    payload_limit = 4 * 1024 * 1024

    @pytest.fixture
    def location(self, bouncer: tuple[str, str, object]) -> Iterator[Behind]:
        """Return the address of the pooler, and a schema that is emptied after the test."""
        pooler, server, _ = bouncer
        yield Behind(pooler, server, SCHEMA)
        empty(server, SCHEMA)

    def make_backend(self, clock: Clock, location: Behind) -> PostgresBackend:
        """Return a backend that tells the time by the clock of the test."""
        return PostgresBackend(
            location.pooler,
            schema=location.schema,
            clock=clock,
            max_payload_bytes=self.payload_limit,
            pooler=True,
        )


class TestBackend(BehindPgBouncer, BackendConformance): ...


class TestInstances(BehindPgBouncer, InstanceConformance): ...


class TestDefinitions(BehindPgBouncer, DefinitionConformance): ...


class TestCheckpoints(BehindPgBouncer, CheckpointConformance): ...


class TestClaims(BehindPgBouncer, ClaimConformance): ...


class TestOwnership(BehindPgBouncer, OwnershipConformance): ...


class TestSessions(BehindPgBouncer, SessionConformance): ...


class TestSignals(BehindPgBouncer, SignalConformance): ...


class TestControl(BehindPgBouncer, ControlConformance): ...


class TestResults(BehindPgBouncer, ResultConformance): ...


class TestEquivalence(BehindPgBouncer, EquivalenceConformance):
    """A pooler changes how statements travel, not what they mean; so fewer examples do."""

    examples = 15
    histories = 10
    calls = 20


class TestRaces(BehindPgBouncer, RaceConformance): ...


class TestWakeup(BehindPgBouncer, WakeupConformance):
    """Hints are sent through the pooler, and heard at the address of the server."""

    hint_quiet = timedelta(seconds=0.1)

    def make_backend(self, clock: Clock, location: Behind) -> PostgresBackend:
        """Return a backend that listens past the pooler."""
        return PostgresBackend(
            location.pooler,
            schema=location.schema,
            clock=clock,
            pooler=True,
            listen_url=location.server,
        )
