"""Plans: workflows as small trees of data that print short and shrink well."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import Enum, StrEnum
from itertools import chain
from typing import Any, Final, cast

from sayiir_core.policy import OnMax

RANGE: Final = 9973
"""Every number in a generated workflow is below this one."""

LATE: Final = "too late"
"""What a body returns that nobody waits for any more; a run never gives it."""


class PlannedError(Exception):
    """Be raised by a task that is planned to fail."""


class Form(StrEnum):
    """Say in which kind of value a task wraps its number."""

    NUMBER = "number"
    TEXT = "text"
    LIST = "list"
    DICT = "dict"
    NOTHING = "nothing"


class _Short:
    """Print only what differs from the defaults."""

    __slots__ = ()

    def __repr__(self) -> str:
        known = fields(cast(Any, self))
        values = [(field, getattr(self, field.name)) for field in known]
        shown = [f"{it.name}={_printed(value)}" for it, value in values if value != it.default]
        return f"{type(self).__name__}({', '.join(shown)})"


def _printed(value: object) -> str:
    return f"{type(value).__name__}.{value.name}" if isinstance(value, Enum) else repr(value)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Task(_Short):
    """A function of its input: ``weight(value) * 3 + add``, in some form.

    The first ``fails`` attempts raise ``PlannedError(failure)``; with ``retries`` below that the
    task fails for good. ``tag`` is the worker tag that it needs, ``is_async`` makes it a coroutine
    function. With ``hangs``, for simulated time only, these attempts run longer than ``timeout``
    seconds (0 for no timeout) instead, and then return ``LATE``.
    """

    add: int = 0
    form: Form = Form.NUMBER
    fails: int = 0
    failure: str = ""
    retries: int = 0
    tag: str | None = None
    is_async: bool = False
    timeout: int = 0
    hangs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Delay(_Short):
    """A pause; zero does not park."""

    milliseconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Signal(_Short):
    """A wait, whose payload is ``payload``; ``name`` belongs to this wait alone.

    Without ``sent`` nobody sends it: after a short timeout the flow goes on with the payload as
    the declared default.
    """

    name: str
    payload: int = 0
    sent: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Fork(_Short):
    """Branches ``b0``, ``b1`` and so on, gathered by a join."""

    branches: tuple[Elements, ...]
    join: Task = Task()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Route(_Short):
    """Arms ``k0``, ``k1`` and so on, chosen by the weight of the value.

    The key is ``k<weight modulo (number of arms + strays)>``, so ``strays`` is the number of
    keys that have no arm; these go to ``default``, or fail without one.
    """

    arms: tuple[Elements, ...]
    default: Elements | None = None
    strays: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Loop(_Short):
    """A body that repeats until the weight of its result is a multiple of ``until``.

    The last task of the body decides: the last element is a task, a fork (whose join decides) or
    a child that ends in one.
    """

    body: Elements
    until: int = 1
    cap: int = 3
    on_max: OnMax = OnMax.EXIT_WITH_LAST


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Child(_Short):
    """A workflow run in place."""

    elements: Elements


Element = Task | Delay | Signal | Fork | Route | Loop | Child
"""The closed union of what a plan is made of."""

Elements = tuple[Element, ...]
"""A line of elements, at least one."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Plan(_Short):
    """A whole workflow."""

    elements: Elements


def weight(value: Any) -> int:
    """Return a number that depends on all of a value, also on the order of a dict."""
    if isinstance(value, bool) or value is None:
        return 1 if value else 2
    if isinstance(value, int):
        return value % RANGE
    if isinstance(value, str):
        return _fold(map(ord, value))
    if isinstance(value, float):
        return _fold(map(ord, repr(value)))
    parts: Iterable[Any] = chain.from_iterable(value.items()) if hasattr(value, "items") else value
    return _fold(map(weight, parts))


def _fold(numbers: Iterable[int]) -> int:
    total = 7
    for number in numbers:
        total = (total * 31 + number) % RANGE
    return total


def shape(form: Form, number: int) -> Any:
    """Return a number in its form."""
    match form:
        case Form.NUMBER:
            return number
        case Form.TEXT:
            return f"«{number}»"
        case Form.LIST:
            return [number, None, 0.5]
        case Form.DICT:
            return {"n": number, "a": [True, ""]}
        case Form.NOTHING:
            return None


def result_of(task: Task, value: Any) -> Any:
    """Return what a task makes of its input."""
    return shape(task.form, (weight(value) * 3 + task.add) % RANGE)


def key_of(route: Route, value: Any) -> str:
    """Return the key that a route's key function chooses."""
    return f"k{weight(value) % (len(route.arms) + route.strays)}"
