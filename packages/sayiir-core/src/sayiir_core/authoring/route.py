"""The builder of a route: ``flow.route(key_fn, keys=[…]).branch("a", f).done()``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, cast, overload

from sayiir_core.authoring.draft import Draft
from sayiir_core.authoring.fork import Part, forward
from sayiir_core.authoring.generic import In, Out
from sayiir_core.authoring.keys import declared_keys, key_text
from sayiir_core.authoring.names import DEFAULT
from sayiir_core.authoring.plan import Line, RouteElement
from sayiir_core.authoring.workflow import Workflow
from sayiir_core.errors import DefinitionError
from sayiir_core.ports.view import Lazy
from sayiir_core.workflow.node import ScopeKind

if TYPE_CHECKING:
    from sayiir_core.authoring.flow import Flow


class RouteBuilder(Generic[In, Out]):
    """Collect the arms of a route; ``done`` closes it.

    ``In`` is the input of the flow, ``Out`` the value that the key function and every arm receive.
    """

    __slots__ = ("_arms", "_default", "_draft", "_flow", "_id", "_key", "_keys")

    def __init__(self, flow: Flow[Any, Any], draft: Draft, key_fn: object, keys: object) -> None:
        self._flow = flow
        self._draft = draft
        self._id = draft.numbering.name("branch")
        self._arms: dict[str, Line | None] = {}
        self._default: list[Line | None] = []
        self._key = draft.task(key_fn, f"{self._id}, key function", is_key=True)
        self._keys = self._declare(keys)
        draft.open(self, f"{self._id} is done; call .done() on it first")

    @overload
    def branch(
        self,
        key: str | Enum,
        first: Callable[[Out], Any] | Callable[[], Any],
        /,
        *rest: Part,
        name: str | None = None,
    ) -> RouteBuilder[In, Out]: ...

    @overload
    def branch(
        self,
        key: str | Enum,
        first: Callable[[Lazy[Out]], Any],
        /,
        *rest: Part,
        name: str | None = None,
    ) -> RouteBuilder[In, Out]: ...

    @overload
    def branch(
        self,
        key: str | Enum,
        first: Workflow[Out, Any] | str,
        /,
        *rest: Part,
        name: str | None = None,
    ) -> RouteBuilder[In, Out]: ...

    def branch(self, key: str | Enum, *parts: Any, name: str | None = None) -> Any:
        """Add the arm for a key: functions and workflows in a row; it receives the route's input.

        ``name`` is the id of a function that comes first.
        """
        draft, where = self._draft, f"{self._id}, branch {key!r}"
        try:
            text = key_text(key)
        except DefinitionError as problem:
            draft.note(where, problem)
            return self
        if self._keys is not None and text not in self._keys:
            draft.note(where, f"is not declared in keys={list(self._keys)}; add it there")
        if text in self._arms:
            draft.note(where, "is there twice; put all its functions into one .branch(…)")
        self._arms[text] = draft.line(ScopeKind.ARM, parts, where, name=name, scope_name=text)
        return self

    @overload
    def default_branch(
        self,
        first: Callable[[Out], Any] | Callable[[], Any],
        /,
        *rest: Part,
        name: str | None = None,
    ) -> RouteBuilder[In, Out]: ...

    @overload
    def default_branch(
        self, first: Callable[[Lazy[Out]], Any], /, *rest: Part, name: str | None = None
    ) -> RouteBuilder[In, Out]: ...

    @overload
    def default_branch(
        self, first: Workflow[Out, Any] | str, /, *rest: Part, name: str | None = None
    ) -> RouteBuilder[In, Out]: ...

    def default_branch(self, *parts: Any, name: str | None = None) -> Any:
        """Add the arm for every other key."""
        draft, where = self._draft, f"{self._id}, default branch"
        if self._default:
            draft.note(where, "is there twice; put all its functions into one .default_branch(…)")
        arm = draft.line(ScopeKind.ARM, parts, where, name=name, scope_name=DEFAULT)
        self._default.append(arm)
        return self

    def done(self) -> Flow[In, dict[str, Any]]:
        """Close the route; the next step receives ``{"branch": key, "result": value}``."""
        draft = self._draft
        if draft.close(self, f"{self._id}.done()"):
            self._check_complete()
            arms = tuple(arm for arm in self._arms.values() if arm is not None)
            default = self._default[0] if self._default else None
            if self._key is not None and (arms or default is not None):
                key = Line(ScopeKind.KEY, "", (self._key,))
                draft.elements.append(RouteElement(self._id, key, arms, default))
        return cast("Flow[In, dict[str, Any]]", self._flow)

    def _declare(self, keys: object) -> tuple[str, ...] | None:
        try:
            declared = declared_keys(keys)
        except DefinitionError as problem:
            self._draft.note(f"{self._id}, keys", problem)
            return None
        for key, count in Counter(declared).items():
            if count > 1:
                self._draft.note(f"{self._id}, keys", f"has {key!r} {count} times; once is enough")
        return declared

    def _check_complete(self) -> None:
        if self._default or self._keys is None:
            return
        missing = [repr(key) for key in dict.fromkeys(self._keys) if key not in self._arms]
        if missing:
            remedy = "add .branch(key, fn) for each, or .default_branch(fn)"
            self._draft.note(self._id, f"has no branch for {', '.join(missing)}; {remedy}")
        elif not self._arms:
            self._draft.note(self._id, "has no branches; add .branch(key, fn) for each key")

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Let a forgotten ``done`` be told by the flow, with all other problems."""
            return forward(self, self._flow, name)
