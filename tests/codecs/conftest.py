"""A real store for each test: a file of SQLite's, or a schema on a private PostgreSQL server."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from sayiir_core.ports.backend import Backend
from sayiir_postgres import PostgresBackend
from sayiir_sqlite import SQLiteBackend


@dataclass
class Store:
    """One store, opened as by another process each time, and its rows behind the adapter's back."""

    name: str
    open: Callable[[], Backend]
    query: Callable[[str, tuple[Any, ...]], list[tuple[Any, ...]]]
    inputs: tuple[str, str]

    def payloads(self) -> list[bytes]:
        """Return every stored payload: inputs and outputs, in no order."""
        found: list[bytes] = []
        for table, column in (self.inputs, ("steps", "output")):
            rows = self.query(f"SELECT {column} FROM {table}", ())  # noqa: S608 - fixed names
            found += [bytes(row[0]) for row in rows if row[0] is not None]
        return found


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Return an empty store."""
    if request.param == "sqlite":
        yield _sqlite(tmp_path / "store.db")
        return
    dsn = request.getfixturevalue("postgres_dsn")
    schema = f"test_{uuid.uuid4().hex[:12]}"
    yield _postgres(dsn, schema)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema))
        )


def _sqlite(path: Path) -> Store:
    def query(text: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(path)) as connection, connection:
            return connection.execute(text.replace("%s", "?"), values).fetchall()

    return Store("sqlite", lambda: SQLiteBackend(path), query, ("inputs", "payload"))


def _postgres(dsn: str, schema: str) -> Store:
    def query(text: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with psycopg.connect(dsn, options=f"-c search_path={schema}") as connection:
            cursor = connection.execute(text.encode(), values)
            return cursor.fetchall() if cursor.description else []

    inputs = ("instances", "input")
    return Store("postgres", lambda: PostgresBackend(dsn, schema=schema), query, inputs)
