"""The PostgreSQL backend of Sayiir, on psycopg 3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sayiir_postgres.backend import PostgresBackend

__all__ = ["PostgresBackend"]


def __getattr__(name: str) -> Any:
    # The plugin next door is loaded to learn URL schemes; that must not load the driver.
    if name != "PostgresBackend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sayiir_postgres.backend import PostgresBackend

    return PostgresBackend
