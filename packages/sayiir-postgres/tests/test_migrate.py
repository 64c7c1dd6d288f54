"""The schema: made once, by whoever comes first, or by hand."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql

from sayiir_core.errors import BackendError
from sayiir_postgres import PostgresBackend
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import step


def test_many_first_uses_at_once_make_one_schema(place: tuple[str, str]) -> None:
    """Let eight backends open an empty database together."""
    dsn, schema = place
    backends = [PostgresBackend(dsn, schema=schema) for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        for opening in [pool.submit(backend.open) for backend in backends]:
            opening.result()

    for backend in backends:
        backend.close()
    with psycopg.connect(dsn) as connection:
        query = sql.SQL("SELECT version, name FROM {}.migrations").format(sql.Identifier(schema))
        assert [(1, "0001_initial")] == connection.execute(query).fetchall()


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


def test_an_owner_can_make_the_schema_for_a_user_without_rights(place: tuple[str, str]) -> None:
    """Apply the printed script; the user then needs no right to make anything."""
    dsn, schema = place
    user = f"user_{schema}"
    script = PostgresBackend(dsn, schema=schema).migration_sql()
    name, role = sql.Identifier(schema), sql.Identifier(user)
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute(script.encode())
        for statement in (
            "CREATE ROLE {role} LOGIN",
            "GRANT USAGE ON SCHEMA {name} TO {role}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {name} TO {role}",
        ):
            owner.execute(sql.SQL(statement).format(name=name, role=role))
        clock = VirtualClock()
        theirs = psycopg.conninfo.make_conninfo(dsn, user=user)
        rig = Rig(lambda: PostgresBackend(theirs, schema=schema, clock=clock), clock)

        rig.start().must(*step())

        rig.close()
        owner.execute(sql.SQL("DROP OWNED BY {role}").format(role=role))
        owner.execute(sql.SQL("DROP ROLE {role}").format(role=role))


@pytest.mark.parametrize("name", ["UPPER", "with blank", 'quo"te', "{brace}", "ünïcode", "select"])
def test_a_schema_may_have_any_name(place: tuple[str, str], name: str) -> None:
    """Quote it everywhere, and rely on no search path."""
    dsn, schema = place
    clock = VirtualClock()
    odd = f"{name}_{schema}"
    rig = Rig(lambda: PostgresBackend(dsn, schema=odd, clock=clock), clock)

    rig.start().must(*step())

    rig.close()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(odd)))


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
    with psycopg.connect(dsn, autocommit=True) as connection:
        statement = sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(f"{schema}_b"))
        connection.execute(statement)
