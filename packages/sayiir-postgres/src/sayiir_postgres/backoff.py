"""Delays between attempts."""

from __future__ import annotations

from random import Random


class Backoff:
    """Give delays in seconds that double up to a limit.

    Chance takes up to half of each, so that many processes do not try again at one moment.
    """

    __slots__ = ("_first", "_limit", "_next", "_random")

    def __init__(self, first: float, limit: float) -> None:
        self._first = self._next = first
        self._limit = limit
        self._random = Random()  # noqa: S311 - no secret

    def next(self) -> float:
        """Return the next delay."""
        delay, self._next = self._next, min(2 * self._next, self._limit)
        return delay * self._random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Begin again, after a success."""
        self._next = self._first
