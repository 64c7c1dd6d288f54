"""The PostgreSQL backend of Sayiir, on psycopg 3."""

from __future__ import annotations

from sayiir_postgres.backend import PostgresBackend

__all__ = ["PostgresBackend"]
