"""The builder of workflows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, Generic, TypeVar, overload

from sayiir_core.authoring.compile import compile_workflow
from sayiir_core.authoring.draft import Draft
from sayiir_core.authoring.fork import ForkBuilder
from sayiir_core.authoring.generic import In, Open, Out
from sayiir_core.authoring.loop_result import LoopResult
from sayiir_core.authoring.options import CodecChoice
from sayiir_core.authoring.registry import TaskRegistry
from sayiir_core.authoring.route import RouteBuilder
from sayiir_core.authoring.step import (
    UNSET,
    add_delay,
    add_loop,
    add_signal,
    add_task,
    add_workflow,
)
from sayiir_core.authoring.workflow import Workflow
from sayiir_core.duration import Duration
from sayiir_core.policy import OnMax
from sayiir_core.ports.view import Lazy

P = TypeVar("P")
R = TypeVar("R")
T = TypeVar("T")

RouteKey = str | Enum | Awaitable[str] | Awaitable[Enum]
"""What a key function may return."""

DictBody = Callable[[T], dict[str, Any] | Awaitable[dict[str, Any]]] | Workflow[T, dict[str, Any]]
"""A loop's body that returns ``LoopResult(...).to_dict()``."""


class Flow(Generic[In, Out]):
    """Say, step by step, what a workflow does; ``build()`` makes it.

    ``In`` is what the workflow takes, ``Out`` what the steps so far give. Every method changes
    this flow and returns it. A bad step is noted and left out, and ``build()`` reports all of
    them. Functions may be given by their name in ``registry``. ``codec`` writes the values of its
    runs, as far as a task does not name another; it may change while instances run.
    """

    __slots__ = ("_draft",)

    def __init__(
        self,
        name: str = "workflow",
        *,
        metadata: dict[str, Any] | None = None,
        registry: TaskRegistry | None = None,
        codec: CodecChoice | None = None,
    ) -> None:
        self._draft = Draft(name, metadata, registry, codec)

    @overload
    def then(
        self, fn: Callable[[Out], Awaitable[R]], *, name: str | None = None
    ) -> Flow[In, R]: ...

    @overload
    def then(self, fn: Callable[[Out], R], *, name: str | None = None) -> Flow[In, R]: ...

    @overload
    def then(self, fn: Callable[[], Awaitable[R]], *, name: str | None = None) -> Flow[In, R]: ...

    @overload
    def then(self, fn: Callable[[], R], *, name: str | None = None) -> Flow[In, R]: ...

    @overload
    def then(
        self, fn: Callable[[Lazy[Out]], Lazy[R]], *, name: str | None = None
    ) -> Flow[In, R]: ...

    @overload
    def then(
        self, fn: Callable[[Lazy[Out]], Awaitable[R]], *, name: str | None = None
    ) -> Flow[In, R]: ...

    @overload
    def then(self, fn: Callable[[Lazy[Out]], R], *, name: str | None = None) -> Flow[In, R]: ...

    @overload
    def then(self, fn: str, *, name: str | None = None) -> Flow[In, Any]: ...

    @overload
    def then(
        self: Flow[Open, Open], fn: Callable[[Lazy[T]], R], *, name: str | None = None
    ) -> Flow[T, R]: ...

    @overload
    def then(
        self: Flow[Open, Open], fn: Callable[[T], Awaitable[R]], *, name: str | None = None
    ) -> Flow[T, R]: ...

    @overload
    def then(
        self: Flow[Open, Open], fn: Callable[[T], R], *, name: str | None = None
    ) -> Flow[T, R]: ...

    def then(self, fn: Any, *, name: str | None = None) -> Any:
        """Add a task: a function that receives the value of the step before.

        Its id is ``name``, or the name given to ``@task``, or the function's own; lambdas get
        ``lambda_0``, ``lambda_1``, ….
        """
        add_task(self._draft, fn, name=name)
        return self

    def delay(self, name: str, duration: Duration) -> Flow[In, Out]:
        """Add a durable pause; the value passes through and no worker is held meanwhile."""
        add_delay(self._draft, name, duration)
        return self

    @overload
    def wait_for_signal(
        self,
        signal_name: str,
        *,
        name: str | None = None,
        timeout: Duration | None = None,
        payload: type[P],
        on_timeout: Any = UNSET,
    ) -> Flow[In, P]: ...

    @overload
    def wait_for_signal(
        self,
        signal_name: str,
        *,
        name: str | None = None,
        timeout: Duration | None = None,
        payload: Any = None,
        on_timeout: Any = UNSET,
    ) -> Flow[In, Any]: ...

    def wait_for_signal(
        self,
        signal_name: str,
        *,
        name: str | None = None,
        timeout: Duration | None = None,
        payload: Any = None,
        on_timeout: Any = UNSET,
    ) -> Any:
        """Add a wait for a signal, whose payload is the next step's value.

        Its id is ``name`` or the signal's name. ``payload`` is the type to validate the payload
        into. After ``timeout`` the run fails, or goes on with ``on_timeout`` where that is given,
        a JSON-able value.
        """
        add_signal(
            self._draft,
            signal_name,
            name=name,
            timeout=timeout,
            payload=payload,
            on_timeout=on_timeout,
        )
        return self

    def fork(self) -> ForkBuilder[In, Out]:
        """Begin branches that run side by side; ``.join(fn)`` ends it."""
        self._draft.step("fork")
        return ForkBuilder(self, self._draft)

    @overload
    def route(
        self, key_fn: Callable[[Out], RouteKey] | Callable[[], RouteKey] | str, *, keys: object
    ) -> RouteBuilder[In, Out]: ...

    @overload
    def route(
        self, key_fn: Callable[[Lazy[Out]], RouteKey], *, keys: object
    ) -> RouteBuilder[In, Out]: ...

    @overload
    def route(
        self: Flow[Open, Open], key_fn: Callable[[T], RouteKey], *, keys: object
    ) -> RouteBuilder[T, T]: ...

    def route(self, key_fn: Any, *, keys: object) -> Any:
        """Begin a choice between arms; ``.done()`` ends it.

        The key function receives the value and returns one of ``keys``, which are a list of
        strings, a string ``Enum`` class or a ``Literal`` type. The arm receives the same value.
        """
        self._draft.step("route")
        return RouteBuilder[Any, Any](self, self._draft, key_fn, keys)

    @overload
    def loop(
        self,
        fn: Callable[[Out], Awaitable[LoopResult[R]]],
        *,
        max_iterations: int = 10,
        on_max: str = OnMax.FAIL,
        name: str | None = None,
    ) -> Flow[In, R]: ...

    @overload
    def loop(
        self,
        fn: Callable[[Out], LoopResult[R]] | Workflow[Out, LoopResult[R]],
        *,
        max_iterations: int = 10,
        on_max: str = OnMax.FAIL,
        name: str | None = None,
    ) -> Flow[In, R]: ...

    @overload
    def loop(
        self,
        fn: Callable[[Lazy[Out]], LoopResult[R]],
        *,
        max_iterations: int = 10,
        on_max: str = OnMax.FAIL,
        name: str | None = None,
    ) -> Flow[In, R]: ...

    @overload
    def loop(
        self,
        fn: DictBody[Out] | str,
        *,
        max_iterations: int = 10,
        on_max: str = OnMax.FAIL,
        name: str | None = None,
    ) -> Flow[In, Any]: ...

    @overload
    def loop(
        self: Flow[Open, Open],
        fn: Callable[[T], Awaitable[LoopResult[R]]],
        *,
        max_iterations: int = 10,
        on_max: str = OnMax.FAIL,
        name: str | None = None,
    ) -> Flow[T, R]: ...

    @overload
    def loop(
        self: Flow[Open, Open],
        fn: Callable[[T], LoopResult[R]] | Workflow[T, LoopResult[R]],
        *,
        max_iterations: int = 10,
        on_max: str = OnMax.FAIL,
        name: str | None = None,
    ) -> Flow[T, R]: ...

    @overload
    def loop(
        self: Flow[Open, Open],
        fn: DictBody[T],
        *,
        max_iterations: int = 10,
        on_max: str = OnMax.FAIL,
        name: str | None = None,
    ) -> Flow[T, Any]: ...

    def loop(
        self,
        fn: Any,
        *,
        max_iterations: int = 10,
        on_max: str = OnMax.FAIL,
        name: str | None = None,
    ) -> Any:
        """Repeat a task, or a workflow that ends with one, until it returns ``LoopResult.done``.

        ``max_iterations`` caps how often the body runs; at the cap the run fails, or with
        ``on_max="exit_with_last"`` goes on with the last value. ``name`` is the id of the task;
        for a workflow, of the loop.
        """
        add_loop(self._draft, fn, max_iterations=max_iterations, on_max=on_max, name=name)
        return self

    @overload
    def then_flow(self, workflow: Workflow[Out, R]) -> Flow[In, R]: ...

    @overload
    def then_flow(self: Flow[Open, Open], workflow: Workflow[T, R]) -> Flow[T, R]: ...

    def then_flow(self, workflow: Any) -> Any:
        """Run another workflow in place: it receives the value and gives the next one."""
        add_workflow(self._draft, workflow)
        return self

    @overload
    def build(self: Flow[Open, Out]) -> Workflow[Any, Out]: ...

    @overload
    def build(self) -> Workflow[In, Out]: ...

    def build(self) -> Any:
        """Return the workflow; ``DefinitionErrors``, a ``ValueError``, lists every problem."""
        return compile_workflow(self._draft)
