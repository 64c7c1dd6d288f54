"""When to look at a store again: soon after something happened, seldom while nothing does."""

from __future__ import annotations

from typing import Final

HINTED: Final = 0.002
SHORTEST: Final = 0.01
HEARING: Final = 0.05
"""The shortest interval while hints arrive: mostly they come first, and spare the look."""

LONGEST: Final = 0.5
_GROWTH: Final = 1.5
_REST: Final = 4.0
"""How many times its own length a look is followed by rest: looking takes a fifth of a core."""


class Pace:
    """The rhythm of looks, in seconds of a monotonic clock that the caller reads.

    The interval is that of whole rounds. A look at a share of what is awaited is followed by the
    same share of the interval. ``is_hearing`` says whether hints arrive at the moment.
    """

    def __init__(self) -> None:
        self.is_hearing = False
        self._interval = SHORTEST
        self._share = 1.0
        self._cost = 0.0
        self._ended = 0.0

    def looked(self, started: float, ended: float, *, found: bool, share: float = 1.0) -> None:
        """Note a look at a share of all, and whether it found anything new."""
        self._cost = ended - started
        self._ended = ended
        self._share = share
        grown = min(self._interval * _GROWTH**share, LONGEST)
        self._interval = SHORTEST if found else grown

    def hurry(self) -> None:
        """Begin again with the shortest interval: something is about to happen."""
        self._interval = SHORTEST

    def begin(self, now: float) -> None:
        """Begin again, with the shortest interval from now on: nothing was awaited before."""
        self._interval, self._share, self._ended = SHORTEST, 1.0, now

    @property
    def due(self) -> float:
        """Return when the next look is due."""
        return self._after(max(self._interval, HEARING) if self.is_hearing else self._interval)

    @property
    def soonest(self) -> float:
        """Return when the next look may be made at a hint."""
        return self._after(HINTED)

    def _after(self, interval: float) -> float:
        return self._ended + max(interval * self._share, self._cost * _REST)
