"""The connections of one process.

A few connections are kept, the last one given back is the first one taken. They belong to the
process that opened them: a forked child finds none of its own and leaves its parent's alone,
neither using nor closing them, because closing would end the parent's sessions on the server.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeAlias

import psycopg
from psycopg.pq import TransactionStatus

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]


class _Held:
    """The connections of one process, under that process's own lock."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.idle: list[Connection] = []
        self.open = 0


class Connections:
    """Lend connections, at most ``limit`` at a time."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # By process id. Entries of other processes stay referenced, so that nothing closes them.
        self._held: dict[int, _Held] = {}

    @contextmanager
    def lend(self, connect: Callable[[], Connection]) -> Generator[Connection]:
        """Lend a connection, or make one by ``connect``; wait while all are lent.

        One that comes back broken or inside a transaction is closed.
        """
        held = self._own()
        connection = self._take(held, connect)
        try:
            yield connection
        finally:
            self._give_back(held, connection)

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

    def _give_back(self, held: _Held, connection: Connection) -> None:
        if is_usable(connection):
            with held.changed:
                held.idle.append(connection)
                held.changed.notify()
        else:
            connection.close()
            self._forget(held)

    def _forget(self, held: _Held) -> None:
        with held.changed:
            held.open -= 1
            held.changed.notify()


def is_usable(connection: Connection) -> bool:
    """Tell whether a connection is open and outside of any transaction."""
    status = connection.pgconn.transaction_status
    return not connection.closed and status == TransactionStatus.IDLE
