"""One connection to the file, with the few ways in which the stores use it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

Row = tuple[Any, ...]
Params = Sequence[Any]
Named = Mapping[str, Any]

_SYNCHRONOUS: Final = {
    "FULL": "PRAGMA synchronous = FULL",
    "NORMAL": "PRAGMA synchronous = NORMAL",
}
_STATEMENTS_KEPT: Final = 256
_LONGEST_WAIT: Final = 86_400.0


class Synchronous(StrEnum):
    """When a commit is acknowledged: after it reached the disk, or the operating system."""

    FULL = "FULL"
    NORMAL = "NORMAL"

    @classmethod
    def named(cls, word: str) -> Synchronous:
        """Return the member for a word; ``ValueError`` for another one."""
        try:
            return cls(word)
        except ValueError:
            raise ValueError(f'synchronous must be "FULL" or "NORMAL", not {word!r}') from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How connections to one file are made; ``path`` is absolute."""

    path: str
    synchronous: Synchronous
    busy_timeout: timedelta
    max_page_count: int | None = None


class Handle:
    """A connection and its one cursor: a statement is read to its end before the next one.

    ``execute`` is the cursor's own, for the statements of the hot path. Each is compiled once,
    because its text is always the same object.
    """

    __slots__ = ("connection", "execute", "many")

    def __init__(self, connection: sqlite3.Connection) -> None:
        cursor = connection.cursor()
        self.connection = connection
        self.execute = cursor.execute
        self.many = cursor.executemany

    def all(self, sql: str, params: Params | Named = ()) -> list[Row]:
        """Return all rows."""
        return self.execute(sql, params).fetchall()

    def one(self, sql: str, params: Params = ()) -> Row | None:
        """Return the first row, None if there is none."""
        rows = self.execute(sql, params).fetchall()
        return rows[0] if rows else None

    def each(self, sql: str, params: Params = ()) -> Iterator[Row]:
        """Yield rows as they are read; nothing else may be executed meanwhile."""
        return iter(self.execute(sql, params))

    def change_many(self, sql: str, rows: Iterable[Params]) -> None:
        """Execute a statement once per row."""
        self.many(sql, rows)


def connect_writer(settings: Settings) -> Handle:
    """Open the connection that writes; SQLite waits for others until ``stop_waiting``."""
    handle = _connect(settings)
    handle.execute(_SYNCHRONOUS[settings.synchronous])
    # Else a log that grew for one large write would stay that large.
    handle.execute("PRAGMA journal_size_limit = 67108864")
    if settings.max_page_count is not None:
        handle.execute("PRAGMA max_page_count = " + str(settings.max_page_count))
    return handle


def connect_reader(settings: Settings) -> Handle:
    """Open a connection that only reads, and so never waits for a writer."""
    handle = _connect(settings)
    handle.execute("PRAGMA query_only = 1")
    return handle


def connect_watcher(settings: Settings) -> Handle:
    """Open a connection that tells of others' writes; it waits for nobody and makes no file."""
    handle = _connect(replace(settings, busy_timeout=timedelta(0)), "?mode=rw")
    handle.execute("PRAGMA query_only = 1")
    return handle


def stop_waiting(handle: Handle) -> None:
    """Make SQLite report at once that others are in the way, to whoever waits in a better way."""
    handle.execute("PRAGMA busy_timeout = 0")


def _connect(settings: Settings, options: str = "") -> Handle:
    # Every use is guarded by a lock or by belonging to one caller, whatever its thread.
    connection = sqlite3.connect(
        Path(settings.path).as_uri() + options if options else settings.path,
        timeout=min(settings.busy_timeout.total_seconds(), _LONGEST_WAIT),
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENTS_KEPT,
        uri=bool(options),
    )
    return Handle(connection)
