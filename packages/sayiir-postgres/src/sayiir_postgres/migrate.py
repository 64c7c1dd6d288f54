"""The schema: numbered migrations that only go forward, applied under a lock.

The lock belongs to the transaction, so it works behind a pooler, and is gone with its holder.
"""

from __future__ import annotations

import zlib
from typing import Final

from psycopg import sql

from sayiir_core.errors import BackendError
from sayiir_postgres.connections import Connection
from sayiir_postgres.statements import migrations

_LOCK_SPACE: Final = 0x5A11
_TABLE: Final = sql.SQL(
    "CREATE TABLE IF NOT EXISTS {schema}.migrations ("
    "version integer PRIMARY KEY, name text NOT NULL, "
    "applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
)
_RECORD: Final = sql.SQL("INSERT INTO {schema}.migrations (version, name) VALUES ({n}, {name})")


def migration_sql(schema: str) -> str:
    """Return everything that makes the schema, as a script for psql."""
    name = sql.Identifier(schema)
    parts = [
        b"BEGIN;\n",
        sql.SQL("CREATE SCHEMA IF NOT EXISTS {schema};\n").format(schema=name).as_bytes(None),
        _TABLE.format(schema=name).as_bytes(None) + b";\n",
    ]
    for number, title, text in migrations(schema):
        parts += [b"\n", text, b"\n\n", _record(schema, number, title), b";\n"]
    parts.append(b"COMMIT;\n")
    return b"".join(parts).decode()


def migrate(connection: Connection, schema: str, *, server: str) -> None:
    """Bring the schema up to date; several processes may try at once.

    Raises ``BackendError`` if a newer release has migrated it.
    """
    known = migrations(schema)
    latest = known[-1][0]
    if _version(connection, schema, server, latest) == latest:
        return
    with connection.transaction():
        key = zlib.crc32(schema.encode()) - 2**31
        connection.execute(
            b"SELECT pg_advisory_xact_lock(%s::int, %s::int)", (_LOCK_SPACE, key), prepare=False
        )
        _create_schema(connection, schema)
        done = _version(connection, schema, server, latest)
        for number, title, text in known:
            if number > done:
                connection.execute(text, prepare=False)
                connection.execute(_record(schema, number, title), prepare=False)


def _create_schema(connection: Connection, schema: str) -> None:
    """Make the schema only if it lacks, so that its owner may make it for a user without rights."""
    name = sql.Identifier(schema)
    found = connection.execute(
        b"SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,), prepare=False
    ).fetchone()
    if found is None:
        connection.execute(sql.SQL("CREATE SCHEMA {schema}").format(schema=name), prepare=False)
    connection.execute(_TABLE.format(schema=name), prepare=False)


def _version(connection: Connection, schema: str, server: str, latest: int) -> int:
    table = sql.Identifier(schema, "migrations").as_string(None)
    exists = connection.execute(
        b"SELECT to_regclass(%s) IS NOT NULL", (table,), prepare=False
    ).fetchone()
    if exists is None or not exists[0]:
        return 0
    query = sql.SQL("SELECT COALESCE(max(version), 0) FROM {schema}.migrations")
    found = connection.execute(
        query.format(schema=sql.Identifier(schema)), prepare=False
    ).fetchone()
    version = int(found[0]) if found is not None else 0
    if version > latest:
        raise BackendError(
            f"schema {schema!r} of PostgreSQL at {server} is at version {version}, but this "
            f"release knows versions up to {latest}; upgrade sayiir-postgres here"
        )
    return version


def _record(schema: str, number: int, title: str) -> bytes:
    parts = {
        "schema": sql.Identifier(schema),
        "n": sql.Literal(number),
        "name": sql.Literal(title),
    }
    return _RECORD.format(**parts).as_bytes(None)
