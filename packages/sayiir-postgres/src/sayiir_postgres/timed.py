"""Connections that wait for a silent server only so long.

How this works: the driver runs everything that it sends as a generator, which says when it has to
wait for the socket, and looks at it again ten times a second while nothing moves. Here each of
these generators is watched. What moves, in either direction, is a sign of life, so a large value
on a slow line takes the time that it takes. After ``call_timeout`` seconds without one the
connection is closed on this side, which asks nobody, and the call fails like on one that broke.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen

from sayiir_postgres.errors import CallTimeoutError

RV = TypeVar("RV")

CALL_TIMEOUT: Final = 20.0
"""Well below the 30 seconds of a lease, so that one connection that stalls costs no session."""

_LOOK_SECONDS: Final = 0.1

UNHURRIED: Final = 3600.0
"""For what changes whole tables, and may have to."""


class TimedConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that is given up when the server is silent for ``call_timeout`` seconds."""

    call_timeout = CALL_TIMEOUT

    def wait(
        self, gen: PQGen[RV], interval: float = _LOOK_SECONDS, timeout: float | None = None
    ) -> RV:
        """Run a generator of the driver; raises ``CallTimeoutError``, and is closed by then."""
        watched = _watched(gen, self)
        if timeout is None:
            # The older drivers that are supported know no timeout.
            return _wait(self, watched, interval)
        return _wait(self, watched, interval, timeout)


_wait: Final = psycopg.Connection.wait


def _watched(gen: PQGen[RV], connection: TimedConnection) -> PQGen[RV]:
    until: float | None = None
    try:
        state = next(gen)
        while True:
            ready = yield state
            if ready:
                until = None
            elif until is None:
                until = time.monotonic() + connection.call_timeout - _LOOK_SECONDS
            elif time.monotonic() >= until:
                connection.pgconn.finish()
                raise CallTimeoutError(connection.call_timeout)
            state = gen.send(ready)
    except StopIteration as end:
        value: RV = end.value
        return value


@contextmanager
def unhurried(connection: TimedConnection) -> Generator[None]:
    """Wait longer for what follows."""
    usual = connection.call_timeout
    connection.call_timeout = max(usual, UNHURRIED)
    try:
        yield
    finally:
        connection.call_timeout = usual
