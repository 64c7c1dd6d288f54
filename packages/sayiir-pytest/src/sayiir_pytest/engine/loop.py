"""An event loop whose time is the virtual clock, so that ``asyncio.sleep`` takes none.

How this works: a loop asks its selector to wait until its next timer is due. This selector waits
for nothing that is only time: it moves the clock there instead. Where something real is under way
(a socket, a subprocess, a call in an executor's thread) it does wait, and the clock goes along with
real time meanwhile, so that a timeout around real I/O does not fire before its time.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime, timedelta
from math import ceil
from time import monotonic
from typing import Any, Final, TypeVar, TypeVarTuple

from sayiir_pytest.clock import VirtualClock

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_LOOK_SECONDS: Final = 0.05
_PATIENCE_SECONDS: Final = 0.5
_EXECUTOR: Final = "asyncio_"
_RESOLUTION_SECONDS: Final = 1e-6
_OWN_PIPE: Final = 1


class VirtualLoop(asyncio.SelectorEventLoop):
    """Run the coroutines of one engine in virtual time.

    ``on_wait`` is told how many real seconds the loop has waited for something real in one go.
    """

    def __init__(self, clock: VirtualClock, on_wait: Callable[[float], None]) -> None:
        self._clock = clock
        self._start = clock.now()
        self._selector_of_time = _Selector(clock, self.has_jobs, on_wait)
        self._jobs = 0
        super().__init__(self._selector_of_time)
        # That of the clock. The loop's own nanosecond is lost beside the seconds of some months,
        # and a timer that is due would be looked at for ever.
        self._clock_resolution = _RESOLUTION_SECONDS

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return (self._clock.now() - self._start).total_seconds()

    def has_jobs(self) -> bool:
        """Tell whether a call in a thread is under way."""
        return self._jobs > 0

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Call in a thread; while that lasts, time passes at its real pace."""
        future = super().run_in_executor(executor, func, *args)
        self._jobs += 1
        future.add_done_callback(self._job_done)
        return future

    def _job_done(self, _: asyncio.Future[Any]) -> None:
        self._jobs -= 1

    def pump(self, until: datetime) -> None:
        """Run until somebody calls ``stop``, or until an instant."""
        timer = self.call_at((until - self._start).total_seconds(), self.stop)
        try:
            self.run_forever()
        finally:
            timer.cancel()

    def end(self) -> None:
        """Cancel what still runs, and close."""
        pending = asyncio.all_tasks(self)
        for task in pending:
            task.cancel()
        if pending:
            self.run_until_complete(asyncio.wait(pending, timeout=1.0))
        self.run_until_complete(self.shutdown_asyncgens())
        self.close()


class _Selector(selectors.DefaultSelector):
    """Wait for what is real, and let time pass where there is nothing real to wait for."""

    def __init__(
        self, clock: VirtualClock, has_jobs: Callable[[], bool], on_wait: Callable[[float], None]
    ) -> None:
        super().__init__()
        self._clock = clock
        self._has_jobs = has_jobs
        self._on_wait = on_wait
        self._threads = set(threading.enumerate())
        self._waited = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events or (timeout is not None and timeout <= 0):
            self._waited = 0.0
            return events
        if timeout is None or self._is_real():
            return self._wait(timeout)
        self._waited = 0.0
        self._clock.advance(timedelta(microseconds=ceil(timeout * 1e6)))
        return []

    def _is_real(self) -> bool:
        """Tell whether something real may come: by a descriptor, an executor, or some other thread."""
        if self._has_jobs() or len(self.get_map()) > _OWN_PIPE:
            return True
        # What another thread does is unknown, so one that is new gets a moment to answer. Those
        # of the loop's own executor have no job, or it would be known.
        return self._waited < _PATIENCE_SECONDS and any(
            thread not in self._threads and not thread.name.startswith(_EXECUTOR)
            for thread in threading.enumerate()
        )

    def _wait(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        limit = _LOOK_SECONDS if timeout is None else min(timeout, _LOOK_SECONDS)
        began = monotonic()
        events = super().select(limit)
        elapsed = monotonic() - began
        if timeout is not None:
            self._clock.advance(min(elapsed, timeout))
        self._waited += elapsed
        self._on_wait(self._waited)
        return events
