"""The schema: which file is ours, and how an older one is brought up to date."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sayiir_core.errors import BackendError
from sayiir_sqlite.connection import Handle, Settings, connect_writer, stop_waiting
from sayiir_sqlite.errors import DriverError, raise_meaning
from sayiir_sqlite.statement import migrations

APPLICATION_ID: Final = 1_398_897_001
"""The bytes ``Sayi``, written into the header of each of our files."""

OLDEST_SQLITE: Final = (3, 24, 0)
"""The first version with UPSERT."""

Retry = Callable[[Handle, str], None]


def open_writer(settings: Settings, retry: Retry) -> Handle:
    """Return a connection to a file that is ours and up to date; creates it if need be.

    Any number of processes may do so at once. Raises ``BackendError`` that names the file for one
    that cannot be opened, is not ours, or was written by a newer release.
    """
    _check_surroundings(settings.path)
    handle: Handle | None = None
    try:
        handle = connect_writer(settings)
        _check_ours(handle, settings.path)
        _switch_to_wal(handle, settings.path, retry)
        _migrate(handle, settings.path, retry)
        stop_waiting(handle)
    except BaseException as error:
        if handle is not None:
            handle.connection.close()
        if isinstance(error, DriverError):
            raise_meaning(error, settings.path)
        raise
    return handle


def _check_surroundings(path: str) -> None:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        wanted = ".".join(map(str, OLDEST_SQLITE))
        raise BackendError(
            f"this Python was built with SQLite {sqlite3.sqlite_version}; use one with {wanted} "
            f"or newer"
        )
    folder = Path(path).parent
    if not folder.is_dir():
        raise BackendError(
            f"SQLite file {path}: its folder {folder} does not exist; create it first"
        )
    if Path(path).is_dir():
        raise BackendError(f"SQLite file {path}: that is a folder; give the path of a file")


def _check_ours(handle: Handle, path: str) -> None:
    """Refuse a foreign file before anything in it is changed."""
    handle.execute("BEGIN")
    application = _pragma(handle, "PRAGMA application_id")
    version = _pragma(handle, "PRAGMA user_version")
    content = handle.one("SELECT name FROM sqlite_master LIMIT 1")
    handle.execute("COMMIT")
    if application == APPLICATION_ID:
        _check_version(version, path)
    elif application or version or content is not None:
        raise BackendError(
            f"SQLite file {path}: it belongs to another program and was left as it is; give the "
            f"path of a new file"
        )


def _check_version(version: int, path: str) -> None:
    newest = migrations()[-1].number
    if version > newest:
        raise BackendError(
            f"SQLite file {path}: a newer release of sayiir-sqlite wrote it (schema {version}, "
            f"this one reads up to {newest}); upgrade this installation"
        )


def _switch_to_wal(handle: Handle, path: str, retry: Retry) -> None:
    """Make readers and the writer independent of each other; the file remembers it."""
    if _journal(handle, "PRAGMA journal_mode") == "wal":
        return
    # Needs the file for itself for a moment, and of several who try, all but one are refused.
    retry(handle, "PRAGMA journal_mode = WAL")
    mode = _journal(handle, "PRAGMA journal_mode")
    if mode != "wal":
        raise BackendError(
            f"SQLite file {path}: its file system has no write-ahead log (journal mode {mode!r}); "
            f"put the file on a local file system"
        )


def _migrate(handle: Handle, path: str, retry: Retry) -> None:
    if _pragma(handle, "PRAGMA user_version") == migrations()[-1].number:
        return
    retry(handle, "BEGIN IMMEDIATE")
    try:
        # Read again under the lock: another process may have done it meanwhile, or more.
        version = _pragma(handle, "PRAGMA user_version")
        _check_version(version, path)
        for migration in migrations():
            if migration.number > version:
                for sql in migration.statements:
                    handle.execute(sql)
        retry(handle, "COMMIT")
    finally:
        if handle.connection.in_transaction:
            handle.execute("ROLLBACK")


def _pragma(handle: Handle, sql: str) -> int:
    row = handle.one(sql)
    assert row is not None
    return int(row[0])


def _journal(handle: Handle, sql: str) -> str:
    row = handle.one(sql)
    assert row is not None
    return str(row[0])
