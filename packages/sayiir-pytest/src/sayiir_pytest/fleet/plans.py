"""Random plans of workflows, drawn from a seed without any test framework."""

from __future__ import annotations

from collections.abc import Callable
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


def draw_plan(random: Random) -> Plan:
    """Return a plan of up to a few dozen elements, nested up to three levels."""
    return Plan(elements=numbered(_line(random, 0, longest=3)))


def _line(random: Random, depth: int, *, longest: int = 2) -> Elements:
    return tuple(_element(random, depth) for _ in range(random.randint(1, longest)))


def _element(random: Random, depth: int) -> Element:
    makers: list[Callable[[Random, int], Element]] = [_task, _task, _task, _delay, _signal]
    if depth < _DEEPEST:
        makers += [_fork, _fork, _loop, _route, _child]
    return random.choice(makers)(random, depth)


def _task(random: Random, _depth: int) -> Task:
    add, form = random.randint(0, 9), random.choice(list(Form))
    is_async = random.random() < 0.3
    if random.random() < 0.15:
        fails = random.randint(1, 2)
        retries = fails + random.choice([0, 0, 0, 1, -1])
        return Task(add=add, form=form, fails=fails, retries=retries, is_async=is_async)
    return Task(add=add, form=form, is_async=is_async)


def _delay(random: Random, _depth: int) -> Delay:
    return Delay(milliseconds=random.choice([0, 1, 3_000, 60_000]))


def _signal(random: Random, _depth: int) -> Signal:
    return Signal(name="", payload=random.randint(0, 9), sent=random.random() < 0.8)


def _fork(random: Random, depth: int) -> Fork:
    branches = tuple(_line(random, depth + 1) for _ in range(random.randint(1, 3)))
    return Fork(branches=branches, join=_task(random, depth))


def _loop(random: Random, depth: int) -> Loop:
    start = _line(random, depth + 1) if random.random() < 0.5 else ()
    return Loop(
        body=(*start, _task(random, depth)),
        until=random.randint(1, 3),
        cap=random.randint(1, 3),
        on_max=random.choice([OnMax.EXIT_WITH_LAST, OnMax.EXIT_WITH_LAST, OnMax.FAIL]),
    )


def _route(random: Random, depth: int) -> Route:
    arms = tuple(_line(random, depth + 1) for _ in range(random.randint(1, 2)))
    default = _line(random, depth + 1) if random.random() < 0.5 else None
    return Route(arms=arms, default=default, strays=random.choice([0, 0, 1]))


def _child(random: Random, depth: int) -> Child:
    return Child(elements=_line(random, depth + 1))
