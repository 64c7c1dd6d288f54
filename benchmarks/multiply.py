"""Make a PostgreSQL store as large as it would be after months, from runs that it wrote itself.

Every row of a few runs is copied as it stands, again and again, under fresh ids; only the instants
of cursors are shifted, so that the copies stand one behind the other in the queue. What the code
writes of such a run is therefore what the copies are, whatever the tables look like.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import sql

_OF_RUNS = ("instances", "cursors", "steps", "scopes")
_OF_IDS = ("inbox", "signals")
_INSTANTS = ("queued_at", "available_at")

_CHOOSE = """
CREATE TEMP TABLE copies ON COMMIT DROP AS
SELECT
    i.run, i.instance_id, n.n, gen_random_uuid() AS new_run,
    i.instance_id || '-copy-' || n.n AS new_instance_id
FROM {schema}.instances AS i CROSS JOIN generate_series(%(first)s::int, %(first)s + %(times)s - 1) AS n (n)
WHERE i.instance_id = ANY(%(ids)s)
"""

_COPY = """
INSERT INTO {schema}.{table} ({columns})
SELECT {values} FROM copies AS c JOIN {schema}.{table} AS t ON t.{key} = c.{key}
ORDER BY c.n, c.instance_id
"""

_COLUMNS = """
SELECT attname FROM pg_attribute
WHERE attrelid = %(table)s::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = ''
ORDER BY attnum
"""


def multiply(
    dsn: str,
    ids: Sequence[str],
    *,
    times: int,
    first: int = 1,
    shift: timedelta = timedelta(microseconds=1),
    schema: str = "sayiir",
) -> None:
    """Add so many copies of each of these instances; copy ``n``, from ``first``, is ``n`` shifts later.

    The tables are vacuumed and analysed then, as they would be soon.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        with connection.transaction():
            names = {"schema": sql.Identifier(schema)}
            choose = sql.SQL(_CHOOSE).format(**names)
            connection.execute(choose, {"ids": list(ids), "times": times, "first": first})
            connection.execute("ANALYZE copies")
            for table in (*_OF_RUNS, *_OF_IDS):
                key = "run" if table in _OF_RUNS else "instance_id"
                connection.execute(_copy(connection, schema, table, key), {"shift": shift})
        for table in (*_OF_RUNS, *_OF_IDS):
            vacuum = sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(schema, table))
            connection.execute(vacuum)


def _copy(connection: psycopg.Connection[Any], schema: str, table: str, key: str) -> sql.Composed:
    columns = [row[0] for row in connection.execute(_COLUMNS, {"table": f"{schema}.{table}"})]
    return sql.SQL(_COPY).format(
        schema=sql.Identifier(schema),
        table=sql.Identifier(table),
        key=sql.Identifier(key),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        values=sql.SQL(", ").join(_value(table, column) for column in columns),
    )


def _value(table: str, column: str) -> sql.Composed:
    if column in ("run", "instance_id"):
        return sql.SQL("c.{}").format(sql.Identifier(f"new_{column}"))
    if table == "cursors" and column in _INSTANTS:
        return sql.SQL("t.{} + c.n * %(shift)s").format(sql.Identifier(column))
    return sql.SQL("t.{}").format(sql.Identifier(column))
