"""Removing a schema for good: for those that tests make for themselves."""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import sql

from sayiir_postgres.address import Address
from sayiir_postgres.errors import backend_error
from sayiir_postgres.migrate import check_schema
from sayiir_postgres.timed import unhurried

_DROP: Final = sql.SQL("DROP SCHEMA IF EXISTS {schema} CASCADE")


def drop_schema(dsn: str, schema: str) -> None:
    """Remove a schema with everything in it; nothing if there is none.

    Raises ``ValueError`` for a name that cannot be a schema's, ``BackendError`` that names the host.
    """
    statement = _DROP.format(schema=sql.Identifier(check_schema(schema)))
    address = Address(dsn)
    try:
        with address.connect() as connection, unhurried(connection):
            connection.execute(statement)
    except psycopg.Error as error:
        raise backend_error(error, server=str(address), secrets=address.secrets) from error
