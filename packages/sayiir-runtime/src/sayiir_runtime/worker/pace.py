"""How many cursors a worker should hold: enough that no body waits for a claim, and no more.

How this works: a worker with slow tasks holds as many cursors as it runs at once, so that none
waits here for a slot that another worker has free. One with quick tasks also holds what it will run
during the next store calls, by the rate at which its bodies have ended lately. When it begins to
work, that is known as soon as a whole crew of bodies has ended; later a whole window is awaited,
because bodies that end together would look like a rate. The rate is a guess: when nothing has ended
for a while, what was taken ahead is given to workers that are free. Of the branches that it forks itself it
holds twice as much ahead: a branch that it leaves costs a claim.
"""

from __future__ import annotations

from typing import Final

_WINDOW_SECONDS: Final = 0.05
_AHEAD_SECONDS: Final = 0.1
_MOST_AHEAD: Final = 1000
_BRANCHES_AHEAD: Final = 2
_FEW_BODIES: Final = 8
_STALL_SECONDS: Final = 0.5


class Pace:
    """The rate of one worker; moments are on the monotonic clock."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._first_crew = max(concurrency, _FEW_BODIES)
        self._ended = 0
        self._began: float | None = None
        self._is_first = False
        self._rate = 0.0
        self._latest = 0.0

    def begin(self, moment: float) -> None:
        """Note that there is something to do after nothing was held."""
        self._began, self._ended, self._is_first = moment, 0, True
        self._latest = moment

    def note(self, moment: float, ended: int = 1) -> None:
        """Count bodies that have ended just now."""
        self._ended += ended
        self._latest = moment

    def patience(self, moment: float, longest: float) -> float:
        """Return for how many seconds what waits for a body to end may wait."""
        is_stalled = moment - self._latest >= _STALL_SECONDS
        return min(_STALL_SECONDS, longest) if is_stalled else longest

    def most(self, moment: float) -> int:
        """Return how many cursors to hold at most, with the branches that commits give."""
        ahead = self.target(moment) - self._concurrency
        return self._concurrency + _BRANCHES_AHEAD * ahead

    def target(self, moment: float) -> int:
        """Return how many cursors to hold."""
        if self._began is None:
            self._began = moment
        elapsed = moment - self._began
        if elapsed >= _WINDOW_SECONDS:
            latest = self._ended / elapsed
            # Up at once, down by halves: a pause of the store says nothing about the bodies.
            self._rate = max(latest, self._rate / 2)
            self._began, self._ended = moment, 0
            self._is_first = False
        elif self._is_first and self._ended >= self._first_crew and elapsed > 0:
            self._rate = max(self._ended / elapsed, self._rate)
        return self._concurrency + min(_MOST_AHEAD, int(self._rate * _AHEAD_SECONDS))
