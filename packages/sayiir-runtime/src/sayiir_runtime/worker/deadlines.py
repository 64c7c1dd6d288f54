"""When the attempts that run must have ended."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final

from sayiir_runtime.runner.attempt import Attempt
from sayiir_runtime.worker.held import Held, Phase

_TOLERATED: Final = 256

Entry = tuple[float, int, Held, Attempt]


class Deadlines:
    """A heap in which an attempt that ended in time stays until it surfaces, or too many have."""

    def __init__(self) -> None:
        self._numbers = count()
        self._heap: list[Entry] = []

    def add(self, moment: float, held: Held, attempt: Attempt, running: int) -> None:
        """Note by when an attempt must have ended; ``running`` is how many bodies run at most."""
        if len(self._heap) > 2 * running + _TOLERATED:
            self._heap = [entry for entry in self._heap if _runs(entry)]
            heapify(self._heap)
        heappush(self._heap, (moment, next(self._numbers), held, attempt))

    def next(self) -> float | None:
        """Return when to look again, None if nothing has a timeout."""
        while self._heap and not _runs(self._heap[0]):
            # What has ended would keep its values until its time is up.
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, moment: float) -> list[Held]:
        """Return what should have ended by now and still runs."""
        late: list[Held] = []
        while self._heap and self._heap[0][0] <= moment:
            entry = heappop(self._heap)
            if _runs(entry):
                late.append(entry[2])
        return late


def _runs(entry: Entry) -> bool:
    _, _, held, attempt = entry
    return held.attempt is attempt and held.phase is Phase.RUNNING
