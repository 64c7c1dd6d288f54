"""Give each test a schema of its own on the private server."""

import uuid
from collections.abc import Iterator
from typing import NamedTuple

import psycopg
import pytest
from psycopg import sql


class Place(NamedTuple):
    """Where a store lives: a database and a schema in it."""

    dsn: str
    schema: str


@pytest.fixture
def place(postgres_dsn: str) -> Iterator[Place]:
    """Give a schema that does not exist yet; it is dropped after the test."""
    schema = f"test_{uuid.uuid4().hex[:12]}"
    yield Place(postgres_dsn, schema)
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        statement = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema))
        connection.execute(statement)
