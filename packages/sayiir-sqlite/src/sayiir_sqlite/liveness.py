"""Proof of life: a locked file per session, freed by the kernel when its process is gone.

How this works: the files are in the folder ``<database>.sessions``. A session makes one, locks it
and keeps it open; then its row is written. Whoever can lock such a file knows that its process
has ended, however it ended. A file that is missing proves nothing: the database may have been
copied without them. A lock belongs to an open file, not to a process, so a forked child closes
what it inherited, without unlocking.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import weakref
from collections.abc import Collection
from enum import Enum, auto
from pathlib import Path

from sayiir_core.errors import BackendError


class Life(Enum):
    """What a lock file tells."""

    PROVED = auto()
    DISPROVED = auto()
    UNKNOWN = auto()


class SessionLocks:
    """The lock files of the sessions of one database."""

    def __init__(self, database: str) -> None:
        self._folder = Path(f"{database}.sessions")
        self._held: dict[str, int] = {}
        # Who drops a backend without closing it has ended its sessions: then the kernel must know.
        weakref.finalize(self, _close_all, self._held).atexit = False

    def take(self) -> str:
        """Make and lock a file and return its name; ``BackendError`` if that is impossible."""
        name = f"{os.urandom(16).hex()}.lock"
        path = self._folder / name
        try:
            while True:
                self._held[name] = descriptor = self._create(path)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                # Somebody who swept unlocked files may have removed it just before it was locked.
                if _is_still(path, descriptor):
                    return name
                self.drop(name)
        except OSError as error:
            self.drop(name)
            raise BackendError(
                f"no session can be kept in {self._folder}: {error.strerror}; give this user write "
                f"permission on the folder of the database, which must be on a local file system"
            ) from error

    def holds(self, name: str) -> bool:
        """Tell whether this process locked a file."""
        return name in self._held

    def drop(self, name: str) -> None:
        """Remove a file and free its lock; nothing happens if it is not held here."""
        descriptor = self._held.pop(name, None)
        if descriptor is not None:
            _unlink(self._folder / name)
            os.close(descriptor)
            _remove_if_empty(self._folder)

    def probe(self, name: str) -> Life:
        """Tell whether the process that locked a file still exists."""
        return self._probe(name, remove=False)

    def sweep(self, keep: Collection[str]) -> None:
        """Remove the files that nobody holds and no live session names."""
        try:
            names = [path.name for path in self._folder.iterdir()]
        except OSError:
            return
        for name in names:
            if name not in keep:
                self._probe(name, remove=True)
        _remove_if_empty(self._folder)

    def _probe(self, name: str, *, remove: bool) -> Life:
        path = self._folder / name
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return Life.UNKNOWN
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            # Still under the lock: who is just making this file waits, and sees that it is gone.
            if remove:
                _unlink(path)
        except OSError as error:
            return Life.PROVED if error.errno == errno.EWOULDBLOCK else Life.UNKNOWN
        else:
            return Life.DISPROVED
        finally:
            os.close(descriptor)

    def forget(self) -> None:
        """Close what a parent process holds, which keeps it held there."""
        _close_all(self._held)

    def _create(self, path: Path) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        while True:
            self._folder.mkdir(exist_ok=True)
            try:
                return os.open(path, flags, 0o666)
            except FileNotFoundError:
                # The last other session just ended and took the empty folder with it.
                if not self._folder.parent.is_dir():
                    raise


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(descriptor))


def _unlink(path: Path) -> None:
    # What cannot be removed is left to a later sweep: unlocked it proves the same.
    with contextlib.suppress(OSError):
        path.unlink()


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _close_all(held: dict[str, int]) -> None:
    while held:
        os.close(held.popitem()[1])


def host_name() -> str:
    """Return the name of this host."""
    return os.uname().nodename


def boot_id() -> str:
    """Return what tells this run of this kernel from any other, empty where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
