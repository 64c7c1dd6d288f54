"""A key-value store in one file that is only appended to, shared by the processes of one host.

How this works: a write appends one record under an exclusive lock, and is on the disk before the
lock goes. Each process knows where the newest value of each key stands, and takes in, under the
lock, what others have appended since it last looked. A record's number is the version of its
value and is never used twice. What a crash cut short at the end of the file was never
acknowledged: the next writer overwrites it. A file of which more than half is outdated is
written anew beside itself and renamed into place; its first record carries the numbering on.
"""

from __future__ import annotations

import errno
import fcntl
import os
from bisect import bisect_left, bisect_right
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from sayiir_core.errors import BackendError, RefusedRowError
from sayiir_core.keyvalue import Versioned
from sayiir_journal.record import View, first_record, pack


class Journal:
    """The five calls that Sayiir needs of a key-value store; the first one opens the file.

    With ``synced=False`` a write survives the death of the process, not that of the machine.
    A value longer than ``largest`` bytes is refused; no file shorter than ``tidy_at`` is rewritten.
    """

    def __init__(
        self,
        path: Path,
        *,
        synced: bool = True,
        largest: int = 64 * 1024 * 1024,
        tidy_at: int = 1024 * 1024,
    ) -> None:
        self.path = path
        self._lock_path = Path(f"{path}.lock")
        self._synced = synced
        self._largest = largest
        self._tidy_at = tidy_at
        self._views: dict[int, View] = {}

    def get(self, key: str) -> Versioned | None:
        """Return the value, None if there is none."""
        with self._turn(fcntl.LOCK_SH) as view:
            place = view.places.get(key)
            return None if place is None else Versioned(view.read(place), place.number)

    def put(self, key: str, value: bytes) -> None:
        """Write the value, whatever was there."""
        with self._turn(fcntl.LOCK_EX) as view:
            self._append(view, key, value)

    def put_if(self, key: str, value: bytes, version: object | None) -> bool:
        """Write the value only if the version is still this one; None: only if there is no value."""
        with self._turn(fcntl.LOCK_EX) as view:
            place = view.places.get(key)
            if (None if place is None else place.number) != version:
                return False
            self._append(view, key, value)
            return True

    def delete(self, key: str) -> None:
        """Remove the value; repeatable."""
        with self._turn(fcntl.LOCK_EX) as view:
            if key in view.places:
                self._append(view, key, None)

    def scan(self, prefix: str, *, after: str | None, limit: int) -> list[tuple[str, bytes]]:
        """Return up to ``limit`` keys with this prefix and their values, in order."""
        with self._turn(fcntl.LOCK_SH) as view:
            first = bisect_left(view.keys, prefix)
            if after is not None:
                first = max(first, bisect_right(view.keys, after))
            found = (key for key in view.keys[first : first + limit] if key.startswith(prefix))
            return [(key, view.read(view.places[key])) for key in found]

    def open(self) -> None:
        """Make the file if it is not there; raises ``BackendError`` if it cannot be used."""
        with self._turn(fcntl.LOCK_SH):
            pass

    def close(self) -> None:
        """Close what this process has opened; the next call opens it again."""
        view = self._views.get(os.getpid())
        if view is not None:
            with view.mutex:
                view.close()

    @contextmanager
    def _turn(self, kind: int) -> Generator[View, None, None]:
        # By process: in a forked child, a thread that is not there may hold the parent's mutex.
        view = self._views.get(os.getpid()) or self._views.setdefault(os.getpid(), View())
        try:
            with view.mutex, self._lock_path.open("ab", buffering=0) as lock:
                fcntl.flock(lock, kind if self.path.exists() else fcntl.LOCK_EX)
                try:
                    if not self.path.exists():
                        self._rewrite(View())
                    view.catch_up(self.path)
                    yield view
                finally:
                    # A child that was forked meanwhile has it open too: to close would not do.
                    fcntl.flock(lock, fcntl.LOCK_UN)
        except OSError as error:
            raise BackendError(
                f"journal {self.path}: {error.strerror}; check the path, the permissions and the "
                f"free space of its folder",
                # A write that found no room was undone. To repeat it at once would not help.
                transient=error.errno in {errno.EIO, errno.EINTR},
            ) from error

    def _append(self, view: View, key: str, value: bytes | None) -> None:
        if value is not None and len(value) > self._largest:
            raise RefusedRowError(
                f"a value of {len(value)} bytes is longer than the {self._largest} of this journal"
            )
        record = pack(view.number + 1, key, value)
        try:
            # What a crash has left behind the end may be longer than this record.
            os.ftruncate(view.descriptor, view.end)
            if os.pwrite(view.descriptor, record, view.end) != len(record):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if self._synced:
                os.fdatasync(view.descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(view.descriptor, view.end)
            raise
        view.take(view.number + 1, key, None if value is None else len(value))
        if view.end > max(self._tidy_at, 2 * view.needed):
            # It is written already; without room for a second file it just stays longer.
            with suppress(OSError):
                self._rewrite(view)

    def _rewrite(self, view: View) -> None:
        fresh = Path(f"{self.path}.new")
        with fresh.open("wb") as file:
            file.write(first_record(view.number))
            for key, place in view.places.items():
                file.write(pack(place.number, key, view.read(place)))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        folder = os.open(fresh.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
