"""One database file: its one writer, its readers, and how both behave where others are in the way.

How this works: writes of this process queue on a lock and go through one connection, each in a
transaction that takes SQLite's write lock at once (``BEGIN IMMEDIATE``), so it never fails half-way
because somebody else wrote. Where another process has that lock, the writer tries again after
growing, random pauses. Reads see the last commit through connections of their own and wait for
nobody. Nothing is opened before it is needed.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Generator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from types import TracebackType
from typing import Final

from sayiir_core.errors import BackendError
from sayiir_core.ports.wakeup import HintKind
from sayiir_sqlite.connection import Handle, Settings, connect_reader
from sayiir_sqlite.errors import DriverError, is_busy, raise_meaning
from sayiir_sqlite.liveness import SessionLocks
from sayiir_sqlite.migrate import open_writer
from sayiir_sqlite.number import Numbers
from sayiir_sqlite.process import PROCESS
from sayiir_sqlite.watch import FileWatch

_IDLE_READERS: Final = 4
_FIRST_PAUSE: Final = 0.0002
_LONGEST_PAUSE: Final = 0.01
_NO_HINTS: Final[AbstractSet[HintKind]] = frozenset()


class Database:
    """The connections of one backend to its file.

    Never read inside a write, nor write inside a read, of one thread.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.locks = SessionLocks(settings.path)
        self.numbers = Numbers()
        self._writer: Handle | None = None
        self._idle: list[Handle] = []
        self._readers = 0
        self._pool = threading.Condition(threading.Lock())
        self._opened: list[Handle] = []
        self._closed = False
        self._hints: set[HintKind] = set()
        self._watch = FileWatch(settings)
        self.file = PROCESS.join(self)
        # Whoever holds any store of this backend holds this object, so nobody reads or writes.
        weakref.finalize(self, _close_all, self._opened, self._watch).atexit = False

    @property
    def path(self) -> str:
        """Return the absolute path of the file."""
        return self.settings.path

    def open(self) -> None:
        """Open the writer and prepare the schema; raises ``BackendError``."""
        with self.file.writing:
            self.writer()

    def close(self) -> None:
        """Close every connection that is not in use; the next use opens new ones."""
        with self.file.writing, self._pool:
            self._closed = True
            self._watch.close()
            self._close_writer()
            self._close_idle()
            self.numbers.forget()

    def writer(self) -> Handle:
        """Return the writer, under the lock of writers; opens it if need be."""
        handle = self._writer
        if handle is None:
            handle = self._writer = open_writer(self.settings, self.retry)
            self._opened.append(handle)
            self._closed = False
        return handle

    def drop_writer(self) -> None:
        """Give up a writer whose transaction could not be ended, under the lock of writers."""
        self._close_writer()

    def retry(self, handle: Handle, sql: str) -> None:
        """Execute a statement, again while another process is in the way."""
        try:
            handle.execute(sql)
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
            self._retry_slowly(handle, sql)

    def _retry_slowly(self, handle: Handle, sql: str) -> None:
        give_up_at = time.monotonic() + self.settings.busy_timeout.total_seconds()
        pause = _FIRST_PAUSE
        while True:
            # Random, so that processes which collided once do not go on colliding.
            time.sleep(pause * (256 + os.urandom(1)[0]) / 512)
            pause = min(pause * 2, _LONGEST_PAUSE)
            try:
                handle.execute(sql)
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() >= give_up_at:
                    raise
            else:
                return

    def hint(self, *kinds: HintKind) -> None:
        """Note, inside a write, that it may make something claimable, or end a run."""
        self._hints.update(kinds)

    def take_hints(self) -> AbstractSet[HintKind]:
        """Return what this write noted, under the lock of writers."""
        if not self._hints:
            return _NO_HINTS
        hints, self._hints = self._hints, set()
        return hints

    def look(self) -> bool:
        """Tell whether anybody may have written since the last look; opens no more than it needs.

        Raises ``BackendError`` where that cannot be told, also after ``close``.
        """
        with self._pool:
            if self._closed:
                raise BackendError(f"SQLite file {self.path}: it was closed, and is not watched")
            try:
                return self._watch.look()
            except OSError as error:
                self._watch.close()
                raise BackendError(f"SQLite file {self.path}: {error.strerror}") from error
            except DriverError as error:
                self._watch.close()
                raise_meaning(error, self.path)
                raise

    def look_no_more(self) -> None:
        """Close what looks; another look opens it again."""
        with self._pool:
            self._watch.close()

    def writing(self) -> Writing:
        """Return a write transaction, to be entered."""
        return Writing(self)

    @contextmanager
    def reading(self) -> Generator[Handle]:
        """Give a connection on which all statements see one state of the database."""
        if self._writer is None:
            self.open()
        handle = self._check_out()
        try:
            handle.execute("BEGIN")
            yield handle
        except DriverError as error:
            raise_meaning(error, self.path)
            raise
        finally:
            self._check_in(handle)

    def _check_out(self) -> Handle:
        with self._pool:
            handle = self._idle.pop() if self._idle else self._connect_reader()
            self._readers += 1
            return handle

    def _connect_reader(self) -> Handle:
        try:
            handle = connect_reader(self.settings)
        except DriverError as error:
            raise_meaning(error, self.path)
            raise
        self._opened.append(handle)
        return handle

    def _check_in(self, handle: Handle) -> None:
        with self._pool:
            self._readers -= 1
            if not self._readers:
                self._pool.notify_all()
            if _ended(handle) and self._writer is not None and len(self._idle) < _IDLE_READERS:
                self._idle.append(handle)
            else:
                self._close(handle)

    def _close_writer(self) -> None:
        handle, self._writer = self._writer, None
        if handle is not None:
            self._close(handle)

    def _close_idle(self) -> None:
        while self._idle:
            self._close(self._idle.pop())

    def _close(self, handle: Handle) -> None:
        self._opened.remove(handle)
        handle.connection.close()

    # A fork: see ``process``, which holds the lock of writers around these.

    def rest(self) -> None:
        """Let current reads end, let none begin, and close everything."""
        self._pool.acquire()
        while self._readers:
            self._pool.wait()
        self._watch.close()
        self._close_writer()
        self._close_idle()

    def wake(self) -> None:
        """Go on in the parent; what is needed is opened again."""
        self._pool.release()

    def wake_in_child(self) -> None:
        """Go on in the child, without the sessions of the parent."""
        self._pool = threading.Condition(threading.Lock())
        self.locks.forget()


class Writing:
    """A transaction, under the lock of its database's writer.

    Commits when it is left, rolls back if that is by an exception, and raises ``BackendError``
    for what the driver raises.
    """

    __slots__ = ("_database", "_handle", "_lock")

    _handle: Handle

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = database.file.writing

    def __enter__(self) -> Handle:
        database = self._database
        self._lock.acquire()
        try:
            self._handle = handle = database.writer()
            database.retry(handle, "BEGIN IMMEDIATE")
        except BaseException as error:
            self._lock.release()
            raise_meaning(error, self._database.path)
            raise
        return handle

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        hints = self._database.take_hints()
        try:
            if error is None:
                self._commit()
            else:
                self._roll_back()
        finally:
            self._lock.release()
        if error is not None:
            raise_meaning(error, self._database.path)
        elif hints:
            self._database.file.tell(hints)

    def _commit(self) -> None:
        try:
            self._database.retry(self._handle, "COMMIT")
        except BaseException as error:
            self._roll_back()
            raise_meaning(error, self._database.path)
            raise

    def _roll_back(self) -> None:
        if not _ended(self._handle):
            # The next write starts with a new connection; closing this one ends its transaction.
            self._database.drop_writer()


def _ended(handle: Handle) -> bool:
    """Roll back what is not committed; False if that failed and the connection is of no use."""
    try:
        if handle.connection.in_transaction:
            handle.execute("ROLLBACK")
    except DriverError:
        return False
    return True


def _close_all(opened: list[Handle], watch: FileWatch) -> None:
    watch.close()
    while opened:
        opened.pop().connection.close()
