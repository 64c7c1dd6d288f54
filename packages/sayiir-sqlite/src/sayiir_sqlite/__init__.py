"""The SQLite backend of Sayiir, on the standard library's sqlite3."""

from sayiir_sqlite.backend import SQLiteBackend

__all__ = ["SQLiteBackend"]
