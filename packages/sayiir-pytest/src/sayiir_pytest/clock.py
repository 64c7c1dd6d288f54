"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final

from sayiir_core.duration import Duration, to_timedelta

START: Final = datetime(2026, 1, 1, 12, 0, 0, 123457, tzinfo=UTC)
"""Where a virtual clock starts: with microseconds, so that a store that rounds is found out."""


class VirtualClock:
    """Tell a time that only the test changes; it is a ``Clock`` for any backend.

    Safe to read and to move from several threads.
    """

    def __init__(self, start: datetime = START) -> None:
        """Start at an aware instant; raises ``ValueError`` for a naive one."""
        if start.tzinfo is None:
            raise ValueError("a clock starts at an aware instant, such as datetime.now(UTC)")
        self._now = start.astimezone(UTC)
        self._lock = Lock()

    def now(self) -> datetime:
        """Return the current instant, in UTC."""
        return self._now

    def advance(self, by: Duration) -> datetime:
        """Move forward by a timedelta, by seconds or by ``"3d"`` and return the new instant.

        Raises ``ValueError`` for a negative step: a clock never goes back.
        """
        step = forward(by)
        with self._lock:
            self._now += step
            return self._now

    def advance_to(self, instant: datetime) -> datetime:
        """Move forward to an instant; raises ``ValueError`` if it is past."""
        return self.advance(instant - self._now)

    def __repr__(self) -> str:
        return f"VirtualClock({self._now.isoformat()})"


def forward(by: Duration) -> timedelta:
    """Return by how much to move a clock; raises ``ValueError`` for a negative step."""
    if isinstance(by, str):
        return to_timedelta(by)
    step = by if isinstance(by, timedelta) else timedelta(seconds=by)
    if step < timedelta(0):
        raise ValueError(f"a clock never goes back, but was asked to move by {step}")
    return step
