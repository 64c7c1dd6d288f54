"""From what the driver raises to what users meet: one table."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final, NamedTuple

from sayiir_core.errors import BackendError, RefusedRowError

DriverError = (sqlite3.DatabaseError, OverflowError, UnicodeEncodeError)
"""What the driver raises, also for values that it cannot bind."""


class BadRowError(RefusedRowError):
    """Report a row that the store refuses; the same row will be refused again."""


class _Meaning(NamedTuple):
    what: str
    remedy: str
    transient: bool = False


_MEANINGS: Final[Mapping[str, _Meaning]] = {
    "SQLITE_BUSY": _Meaning(
        "another process kept the file to itself for longer than busy_timeout",
        "end the program that holds a transaction open (a shell, a backup), or raise busy_timeout",
        transient=True,
    ),
    "SQLITE_PROTOCOL": _Meaning(
        "too many processes open it at the same moment", "try again", transient=True
    ),
    "SQLITE_FULL": _Meaning(
        "it cannot grow: the disk is full, or max_page_count is reached",
        "free space, raise max_page_count, or prune finished instances; nothing that was "
        "acknowledged is lost",
    ),
    "SQLITE_IOERR": _Meaning(
        "the disk reported an error", "check the disk and the free space, then open it again"
    ),
    "SQLITE_NOTADB": _Meaning(
        "it is no SQLite database, or it is encrypted",
        "give another path, or move that file away",
    ),
    "SQLITE_CORRUPT": _Meaning(
        "it is damaged",
        "keep a copy of it with its -wal file, and restore a backup or try the sqlite3 shell's "
        ".recover",
    ),
    "SQLITE_READONLY": _Meaning(
        "it cannot be written", "give this user write permission on the file and on its folder"
    ),
    "SQLITE_PERM": _Meaning(
        "access is refused", "give this user read and write permission on the file and its folder"
    ),
    "SQLITE_CANTOPEN": _Meaning(
        "it cannot be opened",
        "give this user write permission on the file and its folder, which must exist",
    ),
    "SQLITE_NOLFS": _Meaning("the file system cannot hold it", "use another file system"),
    "SQLITE_TOOBIG": _Meaning("a value is larger than SQLite allows", "store less per step"),
}

_BAD_ROW: Final = frozenset({"SQLITE_TOOBIG", "SQLITE_CONSTRAINT", "SQLITE_MISMATCH"})


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether another connection is in the way and waiting helps."""
    return _primary_name(error) in {"SQLITE_BUSY", "SQLITE_LOCKED"}


def translate(error: BaseException, path: str) -> BackendError | None:
    """Return the error to raise for a driver's error, None for anything else.

    Mistakes in the use of the driver are nobody's to handle, and are not translated.
    """
    if isinstance(error, OverflowError | UnicodeEncodeError):
        return BadRowError(f"SQLite file {path}: a value cannot be stored: {error}")
    if not isinstance(error, sqlite3.DatabaseError) or isinstance(error, sqlite3.ProgrammingError):
        return None
    name = _primary_name(error)
    meaning = _MEANINGS.get(name)
    if meaning is None:
        text = f"SQLite file {path}: {error} ({name or type(error).__name__})"
        return BadRowError(text) if name in _BAD_ROW else BackendError(text)
    text = f"SQLite file {path}: {meaning.what} ({name}); {meaning.remedy}"
    if name in _BAD_ROW:
        return BadRowError(text)
    return BackendError(text, transient=meaning.transient)


def raise_meaning(error: BaseException, path: str) -> None:
    """Raise what a driver's error means, with it as the cause; return if it means nothing.

    The error that is raised must not be a local of a frame that its own traceback keeps: the frames
    of the driver's error, and so the connections in them, would stay until the garbage collector comes.
    """
    meaning = translate(error, path)
    if meaning is None:
        return
    try:
        raise meaning from error
    finally:
        del meaning


def _primary_name(error: sqlite3.Error) -> str:
    """Return ``SQLITE_IOERR`` for ``SQLITE_IOERR_WRITE``, empty if the module itself raised."""
    name = getattr(error, "sqlite_errorname", "")
    return "_".join(name.split("_")[:2])
