"""The schema: made once, by whoever comes first, or by hand."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from sayiir_core.errors import BackendError
from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.effect import AwaitSignal, Finish
from sayiir_core.snapshot.reference import INPUT
from sayiir_postgres import PostgresBackend, migration_script
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import give_up, step
from sayiir_pytest.postgres_server import find_binaries


def test_many_first_uses_at_once_make_one_schema(place: tuple[str, str]) -> None:
    """Let eight backends open an empty database together."""
    dsn, schema = place
    backends = [PostgresBackend(dsn, schema=schema) for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        for opening in [pool.submit(backend.open) for backend in backends]:
            opening.result()

    for backend in backends:
        backend.close()
    assert [(1, "0001_initial")] == applied(dsn, schema)


def test_a_schema_of_a_newer_release_is_refused(place: tuple[str, str]) -> None:
    """Say which version is there and which are known."""
    dsn, schema = place
    earlier, backend = (PostgresBackend(dsn, schema=schema) for _ in range(2))
    earlier.open()
    earlier.close()
    with psycopg.connect(dsn) as connection:
        query = sql.SQL("INSERT INTO {}.migrations VALUES (99, 'later')")
        connection.execute(query.format(sql.Identifier(schema)))

    with pytest.raises(BackendError, match=r"version 99.*up to 1.*upgrade"):
        backend.open()
    backend.close()


@pytest.mark.parametrize("name", ["plain", "Ödd $sayiir$ \"{x}'\\ \n:y"])
def test_a_role_without_rights_to_make_anything_runs_on_what_psql_made(
    place: tuple[str, str], name: str
) -> None:
    """Apply the printed script by hand, twice; then reading and writing rows is enough."""
    dsn, schema = place
    odd, role = f"{name}_{schema}", f"user_{schema}"
    for _ in range(2):
        psql(dsn, migration_script(odd))
    clock = VirtualClock()
    with role_that_writes_rows(dsn, odd, role) as theirs:
        rig = Rig(lambda: PostgresBackend(theirs, schema=odd, clock=clock), clock)

        hand = rig.start()
        hand.must(*step(), AwaitSignal("go", None))
        rig.backend.signals.send(hand.instance_id, "go", b"payload")
        rig.backend.signals.send(InstanceId("nobody"), "go", b"payload")
        rig.take().must(Finish(INPUT))
        owned = rig.start_owned()
        owned.must(*give_up())
        clock.advance(1)
        pruned = rig.backend.instances.prune(finished_before=clock.now(), limit=10)
        expired = rig.backend.signals.expire(received_before=clock.now(), limit=10)

        rig.close()
    assert (2, 1) == (pruned, expired)
    drop_schema(dsn, odd)


def test_the_script_and_a_first_use_wait_for_each_other(place: tuple[str, str]) -> None:
    """Let an owner and eight processes make the schema at once."""
    dsn, schema = place
    backends = [PostgresBackend(dsn, schema=schema) for _ in range(8)]

    with ThreadPoolExecutor(9) as pool:
        script = pool.submit(psql, dsn, migration_script(schema))
        for opening in [pool.submit(backend.open) for backend in backends]:
            opening.result()
        script.result()

    for backend in backends:
        backend.close()
    assert [(1, "0001_initial")] == applied(dsn, schema)


def test_the_script_stops_at_nothing_that_is_there(place: tuple[str, str]) -> None:
    """Leave every row as it is when it is applied over a store in use."""
    dsn, schema = place
    clock = VirtualClock()
    rig = Rig(lambda: PostgresBackend(dsn, schema=schema, clock=clock), clock)
    hand = rig.start()

    psql(dsn, migration_script(schema))

    hand.must(*step())
    assert [(1, "0001_initial")] == applied(dsn, schema)
    rig.close()


def test_the_script_is_for_the_usual_schema() -> None:
    """Name it without being told, and refuse a name that cannot be meant."""
    assert 'CREATE SCHEMA "sayiir"' in migration_script()
    with pytest.raises(ValueError, match="schema must have 1 to 63 bytes"):
        migration_script("")


@pytest.mark.parametrize("name", ["UPPER", "with blank", 'quo"te', "{brace}", "ünïcode", "select"])
def test_a_schema_may_have_any_name(place: tuple[str, str], name: str) -> None:
    """Quote it everywhere, and rely on no search path."""
    dsn, schema = place
    clock = VirtualClock()
    odd = f"{name}_{schema}"
    rig = Rig(lambda: PostgresBackend(dsn, schema=odd, clock=clock), clock)

    rig.start().must(*step())

    rig.close()
    drop_schema(dsn, odd)


def test_two_schemas_of_one_database_are_two_stores(place: tuple[str, str]) -> None:
    """Share nothing."""
    dsn, schema = place
    clock = VirtualClock()
    rigs = [
        Rig(lambda name=name: PostgresBackend(dsn, schema=name, clock=clock), clock)
        for name in (schema, f"{schema}_b")
    ]

    made = rigs[0].create(rigs[0].new()).head.header.instance_id

    with pytest.raises(BackendError):
        rigs[1].load(made)
    for rig in rigs:
        rig.close()
    drop_schema(dsn, f"{schema}_b")


def psql(dsn: str, script: str) -> None:
    """Apply a script as an owner would by hand."""
    command = [str(find_binaries() / "psql"), "--no-psqlrc", "--quiet", "--dbname", dsn]
    subprocess.run(
        [*command, "--set", "ON_ERROR_STOP=1"],
        input=script.encode(),
        env={"PGCLIENTENCODING": "UTF8", "PGOPTIONS": "-c client_min_messages=warning"},
        check=True,
    )


def applied(dsn: str, schema: str) -> list[tuple[Any, ...]]:
    """Return which migrations a schema says that it has."""
    query = sql.SQL("SELECT version, name FROM {}.migrations").format(sql.Identifier(schema))
    with psycopg.connect(dsn) as connection:
        return connection.execute(query).fetchall()


@contextmanager
def role_that_writes_rows(dsn: str, schema: str, role: str) -> Iterator[str]:
    """Give the address for a role that may use the rows of a schema, and nothing else."""
    names = {"schema": sql.Identifier(schema), "role": sql.Identifier(role)}
    with psycopg.connect(dsn, autocommit=True) as owner:
        for statement in (
            "CREATE ROLE {role} LOGIN",
            "GRANT USAGE ON SCHEMA {schema} TO {role}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
        ):
            owner.execute(sql.SQL(statement).format(**names))
        try:
            yield psycopg.conninfo.make_conninfo(dsn, user=role)
        finally:
            for statement in ("DROP OWNED BY {role}", "DROP ROLE {role}"):
                owner.execute(sql.SQL(statement).format(**names))


def drop_schema(dsn: str, schema: str) -> None:
    """Drop a schema with all that it holds."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
