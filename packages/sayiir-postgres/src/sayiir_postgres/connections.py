"""The connections of one process.

A few connections are kept, the last one given back is the first one taken. They belong to the
process that opened them: a forked child finds none of its own and leaves its parent's alone,
neither using nor closing them, because closing would end the parent's sessions on the server.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

from psycopg.pq import TransactionStatus

from sayiir_postgres.timed import TimedConnection as Connection

__all__ = ["Connection", "Connections", "is_usable"]


class _Held:
    """The connections of one process, under that process's own lock."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.idle: list[Connection] = []
        self.open = 0
        self.era = 0


class Connections:
    """Lend connections, at most ``limit`` at a time."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # By process id. Entries of other processes stay referenced, so that nothing closes them.
        self._held: dict[int, _Held] = {}
        # A heartbeat that was under way may open one behind the last close.
        weakref.finalize(self, _close_idle, self._held).atexit = False

    @property
    def era(self) -> int:
        """Return how often this process has closed them."""
        return self._own().era

    @contextmanager
    def lend(self, connect: Callable[[], Connection], era: int) -> Generator[Connection]:
        """Lend a connection, or make one by ``connect``; wait while all are lent.

        ``era`` is the one in which the work began. A connection that comes back broken, inside a
        transaction or in a later era is closed: nobody would close it any more.
        """
        held = self._own()
        connection = self._take(held, connect)
        try:
            yield connection
        finally:
            self._give_back(held, connection, era)

    def close(self) -> None:
        """Close all that are not lent now, and the others as soon as they are given back."""
        held = self._own()
        with held.changed:
            held.era += 1
        self.drop_idle()

    def drop_idle(self) -> None:
        """Close all that are not lent: after one broke, the others are suspect too."""
        held = self._own()
        with held.changed:
            idle, held.idle = held.idle, []
            held.open -= len(idle)
            held.changed.notify_all()
        for connection in idle:
            connection.close()

    def _own(self) -> _Held:
        pid = os.getpid()
        held = self._held.get(pid)
        return self._held.setdefault(pid, _Held()) if held is None else held

    def _take(self, held: _Held, connect: Callable[[], Connection]) -> Connection:
        with held.changed:
            held.changed.wait_for(lambda: held.idle or held.open < self._limit)
            if held.idle:
                return held.idle.pop()
            held.open += 1
        try:
            return connect()
        except BaseException:
            self._forget(held)
            raise

    def _give_back(self, held: _Held, connection: Connection, era: int) -> None:
        if is_usable(connection):
            with held.changed:
                if held.era == era:
                    held.idle.append(connection)
                    held.changed.notify()
                    return
        connection.close()
        self._forget(held)

    def _forget(self, held: _Held) -> None:
        with held.changed:
            held.open -= 1
            held.changed.notify()


def _close_idle(held_by_process: Mapping[int, _Held]) -> None:
    held = held_by_process.get(os.getpid())
    for connection in held.idle if held is not None else ():
        connection.close()


def is_usable(connection: Connection) -> bool:
    """Tell whether a connection is open and outside of any transaction."""
    status = connection.pgconn.transaction_status
    return not connection.closed and status == TransactionStatus.IDLE
