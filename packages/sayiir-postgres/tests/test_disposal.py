"""A schema that a test made for itself can be removed with all that is in it."""

from __future__ import annotations

import psycopg
import pytest

from sayiir_core.errors import BackendError
from sayiir_postgres import PostgresBackend, drop_schema


def _schemas(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as connection:
        return {row[0] for row in connection.execute("SELECT nspname FROM pg_namespace")}


def test_a_schema_is_removed_and_no_other(place: tuple[str, str]) -> None:
    """Whatever its name holds; removing it again does nothing."""
    dsn, schema = place
    odd = f'{schema} "odd"'
    for name in (schema, odd):
        backend = PostgresBackend(dsn, schema=name)
        backend.open()
        backend.close()

    drop_schema(dsn, odd)
    drop_schema(dsn, odd)

    assert {schema} == {schema, odd} & _schemas(dsn)


def test_what_cannot_be_removed_is_told_without_the_password() -> None:
    """A bad name is the caller's fault, a server out of reach is named."""
    with pytest.raises(ValueError, match="schema must have"):
        drop_schema("postgresql://u:secret@127.0.0.1:1/db", "")
    with pytest.raises(BackendError, match=r"127\.0\.0\.1:1/db") as caught:
        drop_schema("postgresql://u:secret@127.0.0.1:1/db", "sayiir_test")

    assert "secret" not in str(caught.value)
