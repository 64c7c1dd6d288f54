"""Virtual time, chance, and the way of calls between workers and the store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

from sayiir_core.errors import BackendError
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.fleet.faults import CALM, Faults

Action = Callable[[], object]


class World:
    """The scheduler. Events happen one at a time, in the order of their times."""

    def __init__(self, seed: int, faults: Faults) -> None:
        self.random = Random(seed)  # noqa: S311 - a story to be told again, no secret
        self.clock = VirtualClock()
        self.faults = faults
        self.events = 0
        self.story: list[str] = []
        self._seconds = 0.0
        self._outage_until = 0.0
        self._queue: list[tuple[float, int, Action]] = []
        self._numbers = count()

    def monotonic(self) -> float:
        """Return the seconds since the beginning."""
        return self._seconds

    def after(self, seconds: float, action: Action) -> None:
        """Do something later."""
        heappush(self._queue, (self._seconds + seconds, next(self._numbers), action))

    def step(self) -> bool:
        """Let the next event happen; False if there is none."""
        if not self._queue:
            return False
        when, _, action = heappop(self._queue)
        if when > self._seconds:
            self.clock.advance(timedelta(seconds=when - self._seconds))
            self._seconds = when
        self.events += 1
        action()
        return True

    def chance(self, probability: float) -> bool:
        """Throw the dice."""
        return probability > 0 and self.random.random() < probability

    def tell(self, line: str) -> None:
        """Add a line to the story of this seed."""
        self.story.append(f"{self._seconds:9.3f} {line}")

    def make_peace(self) -> None:
        """Let nothing go wrong from now on."""
        self.faults = CALM
        self._outage_until = 0.0

    def begin_outage(self, seconds: float) -> None:
        """Make the store unreachable for everybody."""
        self._outage_until = self._seconds + seconds

    @property
    def is_store_reachable(self) -> bool:
        """Tell whether there is no outage."""
        return self._seconds >= self._outage_until

    # The way of a call.

    def send(
        self,
        call: Callable[[], Any],
        *,
        reachable: Callable[[], bool],
        answered: Callable[[Any], None],
        failed: Callable[[BaseException], None],
        may_double: bool = True,
    ) -> None:
        """Carry a call to the store, and its result or error back."""
        there, back = self._way(), self._way()
        if self.chance(self.faults.lost):
            self.after(there + back, lambda: failed(_unclear("never arrived")))
        elif self.chance(self.faults.late):
            self.after(there, lambda: failed(_unclear("timed out")))
            self.after(there + back + self.random.uniform(0, 10), lambda: _do(call))
        else:
            is_lost = self.chance(self.faults.unanswered)
            is_doubled = may_double and self.chance(self.faults.doubled)
            self.after(
                there,
                lambda: self._arrive(call, reachable, answered, failed, back, is_lost, is_doubled),
            )

    def _arrive(
        self,
        call: Callable[[], Any],
        reachable: Callable[[], bool],
        answered: Callable[[Any], None],
        failed: Callable[[BaseException], None],
        back: float,
        is_lost: bool,
        is_doubled: bool,
    ) -> None:
        if not self.is_store_reachable or not reachable():
            self.after(back, lambda: failed(_unclear("was refused")))
            return
        result, error = _do(call)
        if is_doubled:
            self.after(self.random.uniform(0, 5), lambda: _do(call))
        if is_lost:
            self.after(back, lambda: failed(_unclear("got no answer")))
        elif error is not None:
            self.after(back, lambda: failed(error))
        else:
            self.after(back, lambda: answered(result))

    def _way(self) -> float:
        longest = self.faults.slow_seconds if self.chance(self.faults.slow) else self.faults.latency
        return self.random.uniform(0, longest)


def _do(call: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return call(), None
    except BackendError as error:
        return None, error


def _unclear(what: str) -> BackendError:
    return BackendError(f"the call {what} (simulated)", transient=True)
