"""The store's clock: a given one, or the system's, mended so that it never goes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from sayiir_core.ports.clock import Clock

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_micros(instant: datetime) -> int:
    """Return an aware instant as microseconds since 1970, exactly."""
    return span_micros(instant - EPOCH)


def to_instant(micros: int) -> datetime:
    """Invert ``to_micros``."""
    return EPOCH + timedelta(0, 0, micros)


def span_micros(span: timedelta) -> int:
    """Return a length of time in microseconds, exactly."""
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


class StoreClock:
    """Tell the time in the two forms that stores need: stored microseconds, and instants."""

    __slots__ = ("micros",)

    micros: Callable[[], int]
    """Return the current instant as microseconds since 1970."""

    def __init__(self, clock: Clock | None) -> None:
        self.micros = system_micros() if clock is None else lambda: to_micros(clock.now())

    def now(self) -> datetime:
        """Return the current instant, aware and in UTC."""
        return to_instant(self.micros())


def system_micros() -> Callable[[], int]:
    """Return a reading of the system's clock that goes on evenly where that is set back.

    Jumps forward (a corrected clock, a laptop that slept) are followed at once.
    """
    guard = threading.Lock()
    offset = time.time_ns() - time.monotonic_ns()

    def micros() -> int:
        nonlocal offset
        # In this order an interruption between the two makes the offset smaller, never larger.
        wall = time.time_ns()
        elapsed = time.monotonic_ns()
        if wall - elapsed > offset:
            with guard:
                offset = max(offset, wall - elapsed)
        return (elapsed + offset) // 1000

    return micros
