"""Random plans of workflows, drawn from a seed without any test framework."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from sayiir_core.policy import OnMax
from sayiir_pytest.strategies.number import numbered
from sayiir_pytest.strategies.plan import (
    Child,
    Delay,
    Element,
    Elements,
    Fork,
    Form,
    Loop,
    Plan,
    Route,
    Signal,
    Task,
)

_DEEPEST = 3
DELAYS = (0, 1, 3_000, 60_000)
"""Lengths of delays, in milliseconds."""


TIMEOUTS = (0, 0, 0, 0, 2, 8)
"""Timeouts of tasks, in seconds, 0 for none; in simulated time only, since what fails then hangs."""


def draw_plan(
    random: Random, *, delays: Sequence[int] = DELAYS, timeouts: Sequence[int] = (0,)
) -> Plan:
    """Return a plan of up to a few dozen elements, nested up to three levels."""
    return Plan(elements=numbered(_Drawer(random, delays, timeouts).line(0, longest=3)))


class _Drawer:
    def __init__(self, random: Random, delays: Sequence[int], timeouts: Sequence[int]) -> None:
        self._random = random
        self._delays = delays
        self._timeouts = timeouts

    def line(self, depth: int, *, longest: int = 2) -> Elements:
        return tuple(self._element(depth) for _ in range(self._random.randint(1, longest)))

    def _element(self, depth: int) -> Element:
        makers: list[Callable[[int], Element]] = [*[self._task] * 3, self._delay, self._signal]
        if depth < _DEEPEST:
            makers += [self._fork, self._fork, self._loop, self._route, self._child]
        return self._random.choice(makers)(depth)

    def _task(self, _depth: int) -> Task:
        random = self._random
        add, form = random.randint(0, 9), random.choice(list(Form))
        is_async = random.random() < 0.3
        timeout = random.choice(self._timeouts)
        if random.random() < 0.15:
            fails = random.randint(1, 2)
            retries = fails + random.choice([0, 0, 0, 1, -1])
            return Task(
                add=add,
                form=form,
                fails=fails,
                retries=retries,
                is_async=is_async,
                timeout=timeout,
                hangs=timeout > 0,
            )
        return Task(add=add, form=form, is_async=is_async, timeout=timeout)

    def _delay(self, _depth: int) -> Delay:
        return Delay(milliseconds=self._random.choice(self._delays))

    def _signal(self, _depth: int) -> Signal:
        payload = self._random.randint(0, 9)
        return Signal(name="", payload=payload, sent=self._random.random() < 0.8)

    def _fork(self, depth: int) -> Fork:
        branches = tuple(self.line(depth + 1) for _ in range(self._random.randint(1, 3)))
        return Fork(branches=branches, join=self._task(depth))

    def _loop(self, depth: int) -> Loop:
        random = self._random
        start = self.line(depth + 1) if random.random() < 0.5 else ()
        return Loop(
            body=(*start, self._task(depth)),
            until=random.randint(1, 3),
            cap=random.randint(1, 3),
            on_max=random.choice([OnMax.EXIT_WITH_LAST, OnMax.EXIT_WITH_LAST, OnMax.FAIL]),
        )

    def _route(self, depth: int) -> Route:
        random = self._random
        arms = tuple(self.line(depth + 1) for _ in range(random.randint(1, 2)))
        default = self.line(depth + 1) if random.random() < 0.5 else None
        return Route(arms=arms, default=default, strays=random.choice([0, 0, 1]))

    def _child(self, depth: int) -> Child:
        return Child(elements=self.line(depth + 1))
