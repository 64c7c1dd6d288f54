"""Noticing tasks that really sleep while an engine drives them.

How this works: while an engine drives, ``time.sleep`` (and the names under which the modules of
the tasks have imported it) is a watched function. Called by a task of the engine it warns, really
sleeps, and moves the virtual clock along, so that timeouts and time stamps tell the truth. For
everybody else, such as other threads, it is ``time.sleep``. On a loop of the caller
``asyncio.sleep`` is watched in the same way; on the engine's own loop it takes virtual time only.
Engines that drive at once, on one loop, share the watched function; the last one takes it away.
"""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

from sayiir_core.authoring import TaskContext, get_task_context
from sayiir_core.ids import RunId
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.engine.errors import SayiirSleepWarning

_LONG_SECONDS: Final = 1.0


class SleepGuard:
    """Notice the sleeps of the tasks that one engine drives; ``drives`` tells which runs it does."""

    def __init__(self, clock: VirtualClock, drives: Callable[[RunId], bool]) -> None:
        self.clock: Final = clock
        self.thread = 0
        self._drives = drives
        self._modules: list[dict[str, Any]] = []
        self._told: set[str] = set()

    def watch(self, functions: Iterable[Callable[..., Any] | None]) -> None:
        """Look for sleeps in the modules of these functions, too."""
        for function in functions:
            names = getattr(function, "__globals__", None)
            if names is not None and all(names is not known for known in self._modules):
                self._modules.append(names)

    @contextmanager
    def guarding(self, loop: asyncio.AbstractEventLoop | None) -> Generator[None]:
        """Guard for a while; ``loop`` is the caller's, if tasks run there."""
        self.thread = threading.get_ident()
        watched = [_watched(time, _Sleep)]
        if loop is not None:
            watched.append(_watched(asyncio, _AsyncSleep))
        for function, names in watched:
            function.begin(self, [names, *self._modules])
        try:
            yield
        finally:
            for function, _ in watched:
                function.end(self)

    def owns(self, context: TaskContext) -> bool:
        """Tell whether a task is one of this engine."""
        run_id, _, _ = context.idempotency_key.partition("/")
        return self._drives(RunId(run_id))

    def waited(self, paths: Iterable[str], seconds: float) -> None:
        """Tell, once for each, of tasks for whose real I/O the engine has waited long."""
        new = sorted(set(paths) - self._told)
        if seconds >= _LONG_SECONDS and new:
            self._told.update(new)
            warnings.warn(
                f"the test has waited {seconds:.1f} s of real time for what task "
                f"{', '.join(new)} does outside of it; stub it with engine.stub(…)",
                SayiirSleepWarning,
                stacklevel=2,
            )


class _Watched:
    """A function in the place of another, and the guards that want to know of its calls."""

    def __init__(self, original: Callable[..., Any]) -> None:
        self.original = original
        self.guards: list[SleepGuard] = []
        self._places: list[tuple[dict[str, Any], str]] = []

    def begin(self, guard: SleepGuard, modules: Iterable[dict[str, Any]]) -> None:
        """Take the place of the original wherever a module names it."""
        self.guards.append(guard)
        for names in modules:
            found = [name for name, value in names.items() if value is self.original]
            self._places += [(names, name) for name in found]
            names.update(dict.fromkeys(found, self))

    def end(self, guard: SleepGuard) -> None:
        """Give the place back when the last guard has gone."""
        self.guards.remove(guard)
        if not self.guards:
            for names, name in self._places:
                if names.get(name) is self:
                    names[name] = self.original
            self._places.clear()

    def guard_of(self, context: TaskContext | None) -> SleepGuard | None:
        """Return the guard of the task that calls, None if no engine drives it."""
        if context is None:
            return None
        return next((guard for guard in self.guards if guard.owns(context)), None)


class _Sleep(_Watched):
    def __call__(self, seconds: float, /) -> None:
        context = get_task_context()
        guard = self.guard_of(context)
        if context is None or guard is None or threading.get_ident() != guard.thread:
            self.original(seconds)
            return
        _warn(context, "time.sleep", seconds)
        self.original(seconds)
        guard.clock.advance(seconds)


class _AsyncSleep(_Watched):
    async def __call__(self, delay: float, result: Any = None) -> Any:
        context = get_task_context()
        if context is not None and self.guard_of(context) is not None:
            _warn(context, "asyncio.sleep", delay)
        return await self.original(delay, result)


def _watched(module: ModuleType, kind: type[_Watched]) -> tuple[_Watched, dict[str, Any]]:
    """Return what watches a module's ``sleep``, or will do, with the names of the module."""
    names: dict[str, Any] = vars(module)
    sleep = names["sleep"]
    return (sleep if isinstance(sleep, kind) else kind(sleep)), names


def _warn(context: TaskContext, name: str, seconds: float) -> None:
    if seconds <= 0:
        return
    warnings.warn(
        f"task {context.task_path!r} of instance {context.instance_id!r} really sleeps: "
        f"{name}({seconds:g}); wait in the flow with .delay(…), or stub the task with "
        f"engine.stub(…, takes={seconds:g})",
        SayiirSleepWarning,
        stacklevel=3,
    )
