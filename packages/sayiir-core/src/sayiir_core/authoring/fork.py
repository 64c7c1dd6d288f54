"""The builder of a fork: ``flow.fork().branch(a).branch(b, c).join(d)``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from sayiir_core.authoring.draft import Draft
from sayiir_core.authoring.generic import In, Open, Out
from sayiir_core.authoring.plan import ForkElement, Line
from sayiir_core.authoring.workflow import Workflow
from sayiir_core.ports.view import Lazy
from sayiir_core.workflow.node import ScopeKind

if TYPE_CHECKING:
    from sayiir_core.authoring.flow import Flow

R = TypeVar("R")
T = TypeVar("T")

Part = Callable[..., Any] | Workflow[Any, Any] | str
"""What a branch, an arm or a body is made of."""


class ForkBuilder(Generic[In, Out]):
    """Collect the branches of a fork; ``join`` closes it.

    ``In`` is the input of the flow, ``Out`` the value that every branch receives.
    """

    __slots__ = ("_branches", "_draft", "_flow", "_id")

    def __init__(self, flow: Flow[Any, Any], draft: Draft) -> None:
        self._flow = flow
        self._draft = draft
        self._id = draft.numbering.name("fork")
        self._branches: list[Line | None] = []
        draft.open(self, f"{self._id} is joined; call .join(fn) on it first")

    @overload
    def branch(
        self,
        first: Callable[[Out], Any] | Callable[[], Any] | Workflow[Out, Any] | str,
        /,
        *rest: Part,
        name: str | None = None,
    ) -> ForkBuilder[In, Out]: ...

    @overload
    def branch(
        self, first: Callable[[Lazy[Out]], Any], /, *rest: Part, name: str | None = None
    ) -> ForkBuilder[In, Out]: ...

    @overload
    def branch(
        self: ForkBuilder[Open, Open],
        first: Callable[[T], Any] | Workflow[T, Any],
        /,
        *rest: Part,
        name: str | None = None,
    ) -> ForkBuilder[T, T]: ...

    def branch(self, *parts: Any, name: str | None = None) -> Any:
        """Add a branch: functions and workflows in a row.

        Its name, under which the join receives its result, is ``name`` or the id of its first
        element; ``name`` is also the id of a function that comes first.
        """
        where = f"{self._id}, branch {len(self._branches)}"
        self._branches.append(self._draft.line(ScopeKind.BRANCH, parts, where, name=name))
        return self

    @overload
    def join(
        self, fn: Callable[[Any], Awaitable[R]], *, name: str | None = None
    ) -> Flow[In, R]: ...

    @overload
    def join(self, fn: Callable[[Any], R], *, name: str | None = None) -> Flow[In, R]: ...

    @overload
    def join(self, fn: str, *, name: str | None = None) -> Flow[In, Any]: ...

    def join(self, fn: Any, *, name: str | None = None) -> Any:
        """Close the fork with the task that receives ``{branch name: result, …}``."""
        draft = self._draft
        where = f"{self._id}.join()"
        if not draft.close(self, where):
            return self._flow
        if not self._branches:
            draft.note(self._id, "has no branches; add at least one by .branch(fn)")
        join = draft.task(fn, where, name=name, is_join=True)
        branches = tuple(branch for branch in self._branches if branch is not None)
        if branches and join is not None:
            draft.elements.extend((ForkElement(self._id, branches), join))
        return self._flow

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Let a forgotten ``join`` be told by the flow, with all other problems."""
            return forward(self, self._flow, name)


def forward(builder: object, flow: object, name: str) -> Any:
    """Return the flow's public method that was called on an unclosed builder."""
    if name.startswith("_") or not hasattr(type(flow), name):
        raise AttributeError(f"{type(builder).__name__!r} object has no attribute {name!r}")
    return getattr(flow, name)
