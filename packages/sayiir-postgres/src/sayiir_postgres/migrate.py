"""The schema: numbered migrations that only go forward, applied under a lock.

How this works: the statements are the same whether a process applies them at its first use or an
owner by hand from the printed script. Each migration tests for itself whether it lacks, so the
script may be applied again, and over any earlier version. The lock belongs to the transaction, so
it works behind a pooler, and is gone with its holder.
"""

from __future__ import annotations

import zlib
from typing import Final

from psycopg import sql

from sayiir_core.errors import BackendError
from sayiir_postgres.connections import Connection
from sayiir_postgres.statements import migrations
from sayiir_postgres.timed import unhurried

DEFAULT_SCHEMA: Final = "sayiir"

_LOCK_SPACE: Final = 0x5A11
_MAX_NAME_BYTES: Final = 63

_LOCK: Final = sql.SQL("SELECT pg_advisory_xact_lock({space}, {key})")
# Not by IF NOT EXISTS, which asks for the right to make a schema even where there is one.
_SCHEMA: Final = sql.SQL(
    "IF NOT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = {name}) THEN\n"
    "CREATE SCHEMA {schema};\n"
    "END IF;"
)
_TABLE: Final = sql.SQL(
    "CREATE TABLE IF NOT EXISTS {schema}.migrations ("
    "version integer PRIMARY KEY, name text NOT NULL, "
    "applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
)
_HEAD: Final = sql.SQL("IF NOT EXISTS (SELECT 1 FROM {schema}.migrations WHERE version = {n}) THEN")
_TAIL: Final = sql.SQL(
    "INSERT INTO {schema}.migrations (version, name) VALUES ({n}, {title});\nEND IF;"
)


def migration_script(schema: str = DEFAULT_SCHEMA) -> str:
    """Return everything that makes or updates the schema, as one transaction for ``psql``.

    It is for whoever allows no process to change tables: apply it by hand, before the first use
    and before each release that brings a migration. It may be applied more than once. Raises
    ``ValueError`` for a name that cannot be a schema's.
    """
    statements = ["BEGIN", *_statements(check_schema(schema)), "COMMIT"]
    return "".join(f"{statement};\n\n" for statement in statements)


def check_schema(schema: str) -> str:
    """Return the name of a schema; ``ValueError`` for one that cannot be meant."""
    if not 0 < len(schema.encode()) <= _MAX_NAME_BYTES or {"\0", "%"} & set(schema):
        raise ValueError(
            f"schema must have 1 to {_MAX_NAME_BYTES} bytes, without NUL and %, not {schema!r}"
        )
    return schema


def migrate(connection: Connection, schema: str, *, server: str) -> None:
    """Bring the schema up to date; several processes may try at once.

    Raises ``BackendError`` if a newer release has migrated it.
    """
    latest = max(number for number, _, _ in migrations(schema))
    if _version(connection, schema, server, latest) == latest:
        return
    with unhurried(connection), connection.transaction():
        # As the server has it: another process may be migrating, or a large table in the way.
        connection.execute(b"SET LOCAL lock_timeout TO DEFAULT", prepare=False)
        for statement in _statements(schema):
            connection.execute(statement.encode(), prepare=False)
        _version(connection, schema, server, latest)


def _statements(schema: str) -> list[str]:
    """Return what a transaction must execute, in order."""
    parts = {"schema": sql.Identifier(schema), "name": sql.Literal(schema)}
    key = zlib.crc32(schema.encode()) - 2**31
    return [
        _LOCK.format(space=sql.Literal(_LOCK_SPACE), key=sql.Literal(key)).as_string(None),
        _block(_SCHEMA.format(**parts).as_string(None)),
        _TABLE.format(**parts).as_string(None),
        *(_guarded(schema, *migration) for migration in migrations(schema)),
    ]


def _guarded(schema: str, number: int, title: str, text: bytes) -> str:
    parts = {
        "schema": sql.Identifier(schema),
        "n": sql.Literal(number),
        "title": sql.Literal(title),
    }
    head, tail = (part.format(**parts).as_string(None) for part in (_HEAD, _TAIL))
    return _block(f"{head}\n\n{text.decode()}\n\n{tail}")


def _block(body: str) -> str:
    """Return a statement that executes a body, whatever quotes and dollars the body holds."""
    mark = "$sayiir$"
    while mark in body:
        mark = f"{mark[:-1]}_$"
    return f"DO {mark} BEGIN\n{body}\nEND {mark}"


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
