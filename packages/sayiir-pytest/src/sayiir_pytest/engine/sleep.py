"""Noticing tasks that really sleep while the engine drives them.

How this works: while the engine drives, ``time.sleep`` (and the names under which the modules of
the tasks have imported it) is a guard. Called by a task of this engine it warns, really sleeps,
and moves the virtual clock along, so that timeouts and time stamps tell the truth. For everybody
else, such as other threads, it is ``time.sleep``. On a loop of the caller ``asyncio.sleep`` is
guarded in the same way; on the engine's own loop it takes virtual time only.
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
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.engine.errors import SayiirSleepWarning

_LONG_SECONDS: Final = 1.0


class SleepGuard:
    """Guard the sleeps of the tasks that one engine drives."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._modules: list[dict[str, Any]] = []
        self._thread = 0
        self._told: set[str] = set()

    def watch(self, functions: Iterable[Callable[..., Any] | None]) -> None:
        """Guard the modules of these functions, too."""
        for function in functions:
            names = getattr(function, "__globals__", None)
            if names is not None and all(names is not known for known in self._modules):
                self._modules.append(names)

    @contextmanager
    def guarding(self, loop: asyncio.AbstractEventLoop | None) -> Generator[None]:
        """Guard for a while; ``loop`` is the caller's, if tasks run there."""
        self._thread = threading.get_ident()
        undo = self._replace(time, "sleep", self._sleep_guard(time.sleep))
        if loop is not None:
            undo += self._replace(asyncio, "sleep", self._async_guard(asyncio.sleep))
        try:
            yield
        finally:
            for names, name, original in undo:
                names[name] = original

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

    def _replace(
        self, module: ModuleType, name: str, guard: Callable[..., Any]
    ) -> list[tuple[dict[str, Any], str, Any]]:
        own: dict[str, Any] = vars(module)
        original = own[name]
        found = [
            (names, alias, original)
            for names in (own, *self._modules)
            for alias, value in names.items()
            if value is original
        ]
        for names, alias, _ in found:
            names[alias] = guard
        return found

    def _sleep_guard(self, sleep: Callable[[float], None]) -> Callable[[float], None]:
        def guarded(seconds: float, /) -> None:
            context = get_task_context()
            if context is None or threading.get_ident() != self._thread:
                sleep(seconds)
                return
            self._warn(context, "time.sleep", seconds)
            sleep(seconds)
            self._clock.advance(seconds)

        return guarded

    def _async_guard(self, sleep: Callable[..., Any]) -> Callable[..., Any]:
        async def guarded(delay: float, result: Any = None) -> Any:
            context = get_task_context()
            if context is not None:
                self._warn(context, "asyncio.sleep", delay)
            return await sleep(delay, result)

        return guarded

    def _warn(self, context: TaskContext, name: str, seconds: float) -> None:
        if seconds <= 0:
            return
        warnings.warn(
            f"task {context.task_path!r} of instance {context.instance_id!r} really sleeps: "
            f"{name}({seconds:g}); wait in the flow with .delay(…), or stub the task with "
            f"engine.stub(…, takes={seconds:g})",
            SayiirSleepWarning,
            stacklevel=3,
        )
