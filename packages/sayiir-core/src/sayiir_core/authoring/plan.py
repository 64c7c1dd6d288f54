"""Plans: what a flow has said, with functions, before anything has an ordinal.

A plan is a tuple of elements. It is what embedding a built workflow copies, because its nodes get
new ordinals and paths there. Lines nest, so plans are walked with a stack, never by recursion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sayiir_core.authoring.options import CodecChoice
from sayiir_core.policy import OnMax
from sayiir_core.workflow.node import ScopeKind, TaskPolicy


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A scope to be: elements one after the other."""

    kind: ScopeKind
    name: str
    elements: tuple[Element, ...]


@dataclass(frozen=True, slots=True, eq=False)
class TaskElement:
    """A call of a function; the join of a fork follows the fork as the next element."""

    id: str
    function: Callable[..., Any]
    reference: str
    version: str | None
    policy: TaskPolicy
    is_join: bool = False
    is_key: bool = False
    codec: CodecChoice | None = None
    executor: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ForkElement:
    """Branches side by side."""

    id: str
    branches: tuple[Line, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RouteElement:
    """A key function and the arms it chooses from."""

    id: str
    key: Line
    arms: tuple[Line, ...]
    default: Line | None


@dataclass(frozen=True, slots=True, eq=False)
class LoopElement:
    """A body that repeats."""

    id: str
    body: Line
    max_iterations: int
    on_max: OnMax


@dataclass(frozen=True, slots=True, eq=False)
class DelayElement:
    """A pause."""

    id: str
    duration: timedelta


@dataclass(frozen=True, slots=True, eq=False)
class SignalElement:
    """A wait; ``payload`` is the type of the signal's payload, None if it was not declared."""

    id: str
    signal_name: str
    timeout: timedelta | None
    on_timeout: str | None
    payload: Any


@dataclass(frozen=True, slots=True, eq=False)
class ChildElement:
    """A workflow run in place."""

    id: str
    body: Line


Element = (
    TaskElement
    | ForkElement
    | RouteElement
    | LoopElement
    | DelayElement
    | SignalElement
    | ChildElement
)
"""The closed union of what a flow is made of."""


def lines_of(element: Element) -> tuple[Line, ...]:
    """Return the lines inside an element, in the order of their scopes."""
    match element:
        case ForkElement():
            return element.branches
        case RouteElement():
            default = () if element.default is None else (element.default,)
            return element.key, *element.arms, *default
        case LoopElement() | ChildElement():
            return (element.body,)
        case TaskElement() | DelayElement() | SignalElement():
            return ()
