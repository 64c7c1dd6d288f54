"""Where the coroutines of an engine run: on a loop of its own in virtual time, or on the caller's.

On the caller's loop time is real while a coroutine runs: nobody can know whether it waits for
something real. Virtual time stands meanwhile, and jumps when a body has run into its timeout.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sayiir_core.errors import WorkflowError
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.engine.loop import VirtualLoop


class Host:
    """Run coroutines, until one of them ends or until an instant."""

    def __init__(self, clock: VirtualClock, on_wait: Callable[[float], None]) -> None:
        self._clock = clock
        self._on_wait = on_wait
        self._own: VirtualLoop | None = None
        self._caller: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def has_tasks(self) -> bool:
        """Tell whether a coroutine has not ended yet."""
        return bool(self._tasks)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a coroutine in a copy of the present context."""
        loop = self._caller or self._own_loop()
        task = loop.create_task(coroutine, context=contextvars.copy_context())
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._ended is not None:
            self._ended.set()
        elif self._own is not None:
            self._own.stop()

    def _own_loop(self) -> VirtualLoop:
        if self._own is None:
            self._own = VirtualLoop(self._clock, self._on_wait)
        return self._own

    def pump(self, until: datetime) -> None:
        """Run coroutines on the own loop."""
        self._own_loop().pump(until)

    async def pump_async(self, until: datetime) -> None:
        """Let coroutines run on the caller's loop."""
        assert self._ended is not None
        self._ended.clear()
        seconds = (until - self._clock.now()).total_seconds()
        try:
            await asyncio.wait_for(self._ended.wait(), seconds)
        except TimeoutError:
            self._clock.advance_to(max(until, self._clock.now()))

    @contextmanager
    def hosted(self, loop: asyncio.AbstractEventLoop) -> Generator[None]:
        """Use the caller's running loop for a while."""
        if self._caller is not None:
            raise WorkflowError(
                "the engine is driven by another call already; await one after the other, or "
                "give each its own engine"
            )
        if any(task.get_loop() is not loop for task in self._tasks):
            raise WorkflowError(
                "tasks of this engine still run on another event loop; go on there, or start "
                "with the _async form in the first place"
            )
        self._caller, self._ended = loop, asyncio.Event()
        try:
            yield
        finally:
            self._caller = self._ended = None

    def close(self) -> None:
        """Cancel what still runs, and close the own loop."""
        for task in list(self._tasks):
            if not task.get_loop().is_closed():
                task.cancel()
        own, self._own = self._own, None
        if own is not None:
            own.end()


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs on this thread, if any."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
