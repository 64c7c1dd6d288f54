"""The store's clock: the server's, or the one that the backend was built with."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

from sayiir_core.ports.clock import Clock


class ServerClock:
    """Estimate the server's clock between the moments when it was seen.

    With a clock given, that one rules here and in every statement.
    """

    def __init__(self, given: Clock | None) -> None:
        self._given = given
        self._lock = threading.Lock()
        self._offset: float | None = None  # from the monotonic clock to the epoch, in seconds
        self._latest = datetime.min.replace(tzinfo=UTC)

    @property
    def given(self) -> bool:
        """Tell whether another clock than the server's rules."""
        return self._given is not None

    @property
    def known(self) -> bool:
        """Tell whether ``now`` can answer."""
        return self._given is not None or self._offset is not None

    def parameter(self) -> datetime | None:
        """Return the instant for a statement, None if the statement asks the server's clock."""
        return None if self._given is None else self._given.now()

    def observe(self, server: datetime, *, before: float, after: float) -> None:
        """Take the server's time as read between two readings of the monotonic clock."""
        offset = server.timestamp() - (before + after) / 2
        with self._lock:
            self._offset = offset

    def now(self) -> datetime:
        """Return the estimate; it never goes back."""
        if self._given is not None:
            return self._given.now()
        with self._lock:
            assert self._offset is not None, "the clock is read after the first connection"
            now = datetime.fromtimestamp(self._offset + time.monotonic(), UTC)
            self._latest = max(self._latest, now)
            return self._latest
