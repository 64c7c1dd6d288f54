"""The PostgreSQL backend of Sayiir, on psycopg 3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sayiir_postgres.backend import PostgresBackend
    from sayiir_postgres.disposal import drop_schema
    from sayiir_postgres.migrate import migration_script

__all__ = ["PostgresBackend", "drop_schema", "migration_script"]


def __getattr__(name: str) -> Any:
    # The plugin next door is loaded to learn URL schemes; that must not load the driver.
    if name == "PostgresBackend":
        from sayiir_postgres.backend import PostgresBackend

        return PostgresBackend
    if name == "drop_schema":
        from sayiir_postgres.disposal import drop_schema

        return drop_schema
    if name == "migration_script":
        from sayiir_postgres.migrate import migration_script

        return migration_script
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
