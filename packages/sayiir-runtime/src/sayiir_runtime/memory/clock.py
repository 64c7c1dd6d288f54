"""The system clock, mended so that it never goes back."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """Tell the system's time; where that is set back, go on at the pace of the monotonic clock.

    Jumps forward (a corrected clock, a laptop that slept) are followed at once.
    """

    __slots__ = ("_anchor", "_latest", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest = datetime.now(UTC)
        self._anchor: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """Return an aware instant in UTC; it never goes back."""
        wall = datetime.now(UTC)
        if wall >= self._latest:
            # Without the lock: two threads may swap microseconds here, which nobody can see.
            self._anchor = None
            self._latest = wall
            return wall
        return self._go_on()

    def _go_on(self) -> datetime:
        with self._lock:
            elapsed = time.monotonic()
            # Read once: a thread whose clock has caught up drops the anchor without the lock.
            anchor = self._anchor or (self._latest, elapsed)
            self._anchor = anchor
            latest, since = anchor
            self._latest = latest + timedelta(seconds=elapsed - since)
            return self._latest
