"""What waits for its body to start, best first: on a thread, or on the event loop.

Of the bodies that may be killing processes only one runs at a time, so that it alone is charged
with the next death.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime
from heapq import heappop, heappush
from itertools import count

from sayiir_runtime.worker.held import Held, Phase


class Ready:
    """The two queues, and the queue of suspects."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._queues: tuple[list[tuple[datetime, int, Held]], ...] = ([], [])
        # What was removed stays in its queue until it surfaces, and is not counted.
        self._counts = [0, 0]
        self._suspects: deque[Held] = deque()
        self._suspect: Held | None = None

    def __bool__(self) -> bool:
        """Tell whether anything but suspects waits."""
        return bool(self._counts[0] or self._counts[1])

    def put(self, held: Held) -> None:
        """Take in a ready cursor; its body is known."""
        assert held.body is not None
        if held is self._suspect:
            self._suspects.appendleft(held)
        elif held.is_suspect:
            self._suspects.append(held)
        else:
            is_async = held.body.is_async
            self._counts[is_async] += 1
            if held.number == 0:
                held.number = next(self._numbers)
            heappush(self._queues[is_async], (held.rank, held.number, held))

    def take(self, is_async: bool) -> Held | None:
        """Return the next one, None if nothing may start."""
        suspect = self._next_suspect(is_async)
        if suspect is not None:
            self._suspect = self._suspects.popleft()
            return suspect
        queue = self._queues[is_async]
        while queue:
            held = heappop(queue)[2]
            if held.phase is Phase.READY:
                self._counts[is_async] -= 1
                return held
        return None

    def waiting(self, is_async: bool) -> int:
        """Return how many could start."""
        return self._counts[is_async] + (self._next_suspect(is_async) is not None)

    def _next_suspect(self, is_async: bool) -> Held | None:
        if not self._suspects:
            return None
        held = self._suspects[0]
        assert held.body is not None
        is_its_turn = self._suspect is None or self._suspect is held
        return held if is_its_turn and held.body.is_async is is_async else None

    def free(self, held: Held) -> None:
        """Let the next suspect have its turn, if this one had it.

        That is when what it did is stored, or when it is here no longer: not when its body ends, as
        its death could still be charged to it until then.
        """
        if self._suspect is held:
            self._suspect = None

    def remove(self, held: Held) -> None:
        """Take out a ready cursor, whose phase is about to change."""
        assert held.body is not None
        if held.is_suspect:
            self._suspects.remove(held)
        else:
            self._counts[held.body.is_async] -= 1
