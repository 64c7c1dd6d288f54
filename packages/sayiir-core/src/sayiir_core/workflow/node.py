"""The elements of a definition: data, never code.

How this works: a definition is two flat tuples, nodes and scopes, that refer to each other by
ordinal. A scope is a straight line of nodes; the root, each branch, each arm, a loop's body, a
route's key function and a sub-flow are scopes. ``next`` is the ordinal of the following node in
the same scope, or ``END``. The scopes of one node have consecutive ordinals, so that "all
branches of a fork" is a range. Nothing here is nested, so every walk is a loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from sayiir_core.policy import OnMax, RetryPolicy

END: Final = -1
"""The place behind the last node of a scope."""

ROOT: Final = 0
"""The ordinal of the outermost scope."""

NO_OWNER: Final = -1

DEFAULT_PRIORITY: Final = 3


class ScopeKind(StrEnum):
    """Say what a scope is to its owner."""

    ROOT = "root"
    BRANCH = "branch"
    KEY = "key"
    ARM = "arm"
    BODY = "body"
    CHILD = "child"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A straight line of nodes.

    ``depth`` is the length of the index of its nodes. ``line`` is the scope whose cursor walks
    here: the nearest enclosing branch, or the root; ``line_depth`` is the length of that cursor's
    own index.
    """

    ordinal: int
    kind: ScopeKind
    owner: int
    name: str
    path: str
    first: int
    depth: int
    line: int
    line_depth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPolicy:
    """What may be tuned without touching the identity of a definition."""

    timeout: timedelta | None = None
    retry: RetryPolicy | None = None
    priority: int = DEFAULT_PRIORITY
    tags: tuple[str, ...] = ()
    display_name: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskNode:
    """A call of a function.

    ``reference`` names the function for tools. ``loop`` is the ordinal of the loop whose next
    step this task decides by returning a ``LoopResult``; ``is_key`` marks a route's key function
    and ``is_join`` a fork's join. ``group`` is the canonical form of the tags: with the
    definition's identity it makes the lane.
    """

    ordinal: int
    id: str
    path: str
    scope: int
    next: int
    reference: str
    version: str | None
    policy: TaskPolicy
    group: str = ""
    loop: int | None = None
    is_key: bool = False
    is_join: bool = False

    @property
    def priority(self) -> int:
        """Return the queue priority, 1 first."""
        return self.policy.priority


@dataclass(frozen=True, slots=True, kw_only=True)
class _Control:
    ordinal: int
    id: str
    path: str
    scope: int
    next: int

    @property
    def group(self) -> str:
        """Return the empty group: any worker may advance a control node."""
        return ""

    @property
    def priority(self) -> int:
        """Return the default priority."""
        return DEFAULT_PRIORITY


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkNode(_Control):
    """Branches that run side by side; ``next`` is always the join task."""

    first_branch: int
    branch_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteNode(_Control):
    """A choice: the key function's scope, then one arm per key, then the default arm if any."""

    key_scope: int
    keys: tuple[str, ...]
    first_arm: int
    default_arm: int | None

    def arm(self, key: str | None) -> int | None:
        """Return the scope of the arm for a key: its own, or else the default one if any."""
        if key in self.keys:
            return self.first_arm + self.keys.index(key)
        return self.default_arm


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopNode(_Control):
    """A body that repeats until its last task returns ``done``."""

    body: int
    max_iterations: int
    on_max: OnMax


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayNode(_Control):
    """A pause of a fixed length; the value passes through."""

    duration: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalNode(_Control):
    """A wait for a signal, whose payload replaces the value.

    ``on_timeout`` is the JSON text of the value to go on with after the deadline, None to fail.
    """

    signal_name: str
    timeout: timedelta | None
    on_timeout: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildNode(_Control):
    """A workflow run in place."""

    child: int


Node = TaskNode | ForkNode | RouteNode | LoopNode | DelayNode | SignalNode | ChildNode
"""The closed union of what a definition is made of."""
