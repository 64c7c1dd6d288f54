"""The SQLite backend of Sayiir, on the standard library's sqlite3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sayiir_sqlite.backend import SQLiteBackend

__all__ = ["SQLiteBackend"]


def __getattr__(name: str) -> Any:
    # The plugin next door is loaded to learn URL schemes; that must not load the driver.
    if name != "SQLiteBackend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sayiir_sqlite.backend import SQLiteBackend

    return SQLiteBackend
