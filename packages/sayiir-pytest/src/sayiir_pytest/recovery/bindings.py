"""A workflow whose bodies tell that they are called, with the same definition and signatures."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Final, TypeVar

from sayiir_core.authoring import TaskContext, Workflow, get_task_context
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.engine.loop import VirtualLoop
from sayiir_pytest.recovery.journal import Journal
from sayiir_runtime.codec.annotation import read_hints

T = TypeVar("T")
Body = Callable[..., Any]
Starts = Callable[[TaskContext], None]


class Bindings:
    """Bind the tasks of workflows to bodies that are watched in one process.

    ``starts`` is called before each body, and may raise instead of it. With ``pushed`` coroutines
    are run to their end by a thread of their own, for a driver that has no event loop.
    """

    def __init__(
        self, journal: Journal, starts: Starts, *, engine: int, pushed: bool = False
    ) -> None:
        self._journal = journal
        self._starts = starts
        self._engine = engine
        self._pushed = pushed

    def bind(self, workflow: Workflow[Any, Any]) -> Workflow[Any, Any]:
        """Return the workflow with watched bodies; everything that is stored stays the same.

        A body that an executor would run is called here, where it can be watched.
        """
        functions = tuple(None if fn is None else self._watched(fn) for fn in workflow.functions)
        return replace(workflow, functions=functions, executors={})

    def _watched(self, fn: Body) -> Body:
        if not _is_async(fn):
            return _signed(fn, self._call_of(fn))
        if self._pushed:
            pushed = self._call_of(lambda *values: _in_thread(lambda: fn(*values)))
            return _signed(fn, _awaitable(pushed))

        async def call(*values: Any) -> Any:
            number, before = self._enter()
            result = await fn(*values)
            self._journal.end(number, self._journal.effects() - before)
            return result

        return _signed(fn, call)

    def _call_of(self, fn: Body) -> Body:
        def call(*values: Any) -> Any:
            number, before = self._enter()
            result = fn(*values)
            self._journal.end(number, self._journal.effects() - before)
            return result

        return call

    def _enter(self) -> tuple[str, int]:
        context = get_task_context()
        assert context is not None, "a body ran outside of any driver"
        self._starts(context)
        before = self._journal.effects()
        return self._journal.start(context, self._engine), before


def _awaitable(fn: Body) -> Body:
    async def call(*values: Any) -> Any:
        return fn(*values)

    return call


def _signed(fn: Body, watched: Body) -> Body:
    """Give a body the signature of the one in whose place it stands.

    By name and types, not by ``__wrapped__``, which hides what partials and callable objects take.
    """
    hints = read_hints(fn)
    annotations: dict[str, Any] = {"return": hints.returns}
    parameters: list[inspect.Parameter] = []
    if hints.takes_value:
        name = hints.parameter or _UNNAMED
        annotations[name] = hints.takes
        parameters.append(inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD))
    watched.__name__ = watched.__qualname__ = hints.name
    watched.__doc__ = fn.__doc__
    watched.__annotations__ = annotations
    watched.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return watched


_UNNAMED: Final = "value"


def _is_async(fn: Body) -> bool:
    call = getattr(fn, "__call__", None)  # noqa: B004 - an object whose call is a coroutine
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(call)


def _in_thread(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end on a thread of its own, since this one may have a loop already.

    Its sleeps take no time: the loop has a clock that nobody else looks at.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        loop = VirtualLoop(VirtualClock(), lambda _: None)
        try:
            asyncio.set_event_loop(loop)
            results.append(loop.run_until_complete(make()))
        except BaseException as error:  # noqa: BLE001 - raised below, where the body is called
            errors.append(error)
        finally:
            asyncio.set_event_loop(None)
            loop.end()

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,))
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
