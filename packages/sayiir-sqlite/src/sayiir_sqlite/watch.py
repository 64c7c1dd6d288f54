"""Watching a file: whether any other connection, of whatever process, has written to it.

How this works: SQLite keeps a number per connection that changes when somebody else has committed
(``PRAGMA data_version``). Reading it costs a few microseconds and no page. Numbers of two
connections tell nothing about each other, so whoever opens a new one has to take it for a change.
"""

from __future__ import annotations

from pathlib import Path

from sayiir_sqlite.connection import Handle, Settings, connect_watcher


class FileWatch:
    """One connection that only looks; whoever uses it sees to it that nobody else does."""

    __slots__ = ("_handle", "_inode", "_path", "_settings", "_version")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path = Path(settings.path)
        self._handle: Handle | None = None
        self._inode = (0, 0)
        self._version = 0

    def look(self) -> bool:
        """Tell whether somebody may have written since the last look.

        Raises ``OSError`` or what the driver raises where the file is gone or cannot be read.
        """
        there = self._path.stat()
        inode = (there.st_dev, there.st_ino)
        if self._handle is None or inode != self._inode:
            self.close()
            # Before the first read: a file that is put in the place of this one is another inode.
            self._inode = inode
            self._handle = connect_watcher(self._settings)
            self._version = _read_version(self._handle)
            return True
        version = _read_version(self._handle)
        changed, self._version = version != self._version, version
        return changed

    def close(self) -> None:
        """Close the connection; the next look opens a new one."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.connection.close()


def _read_version(handle: Handle) -> int:
    row = handle.one("PRAGMA data_version")
    assert row is not None
    return int(row[0])
