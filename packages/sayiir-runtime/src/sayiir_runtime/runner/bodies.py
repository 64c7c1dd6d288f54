"""Where bodies run that the driver does not call itself: threads, and an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import queue
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any, Final

from sayiir_runtime.runner.attempt import Attempt
from sayiir_runtime.runner.event_loop import LOOP_BROKEN, serve
from sayiir_runtime.runner.pool import Job, ThreadPool

logger = logging.getLogger("sayiir.runner")

MAX_THREADS: Final = 32
MAX_COROUTINES: Final = 1000


class DriveStoppedError(BaseException):
    """Leave a drive whose caller no longer waits; not an error of anything that it ran."""


class BodyRunner:
    """Start attempts, wait for their ends, and give up those that run too long.

    ``loop`` is the caller's running event loop, if there is one: asynchronous bodies then run
    where the caller's own clients and locks belong. Otherwise a private loop gets a thread.
    """

    def __init__(
        self, *, size: int = MAX_THREADS, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        self.size = size
        self._loop = loop
        self._private_loop: asyncio.AbstractEventLoop | None = None
        self._pool: ThreadPool | None = None
        self._ended: queue.SimpleQueue[Attempt | None] = queue.SimpleQueue()
        self._jobs: dict[Attempt, Job | Future[Any]] = {}
        self._deadlines: dict[Attempt, float] = {}
        self._coroutines = 0
        self._is_closed = False
        self.stopped = False

    def has_room(self, is_async: bool) -> bool:
        """Tell whether one more body of this kind may start."""
        if is_async:
            return self._coroutines < MAX_COROUTINES
        return len(self._jobs) - self._coroutines < self.size

    def start(self, attempt: Attempt) -> None:
        """Start a body; its end arrives at ``wait``."""
        timeout = attempt.body.timeout_seconds
        if timeout is not None:
            self._deadlines[attempt] = time.monotonic() + timeout
        context = contextvars.copy_context()
        if attempt.body.is_async:
            self._coroutines += 1
            self._start_coroutine(attempt, context)
        else:
            self._jobs[attempt] = self._threads().submit(
                lambda: context.run(self._run_here, attempt)
            )

    def wait(self, timeout: float) -> list[Attempt]:
        """Return what has ended, waiting for the first end until a deadline or the timeout."""
        if self._deadlines:
            timeout = min(timeout, min(self._deadlines.values()) - time.monotonic())
        ended: list[Attempt] = []
        try:
            first = self._ended.get(timeout=max(0.0, timeout))
            while True:
                if first is not None:
                    self._forget(first)
                    ended.append(first)
                first = self._ended.get_nowait()
        except queue.Empty:
            pass
        if self.stopped:
            raise DriveStoppedError
        return ended

    def overdue(self, running: Iterable[Attempt]) -> list[Attempt]:
        """Give up the attempts whose timeout has passed, and return them as timed out."""
        if not self._deadlines:
            return []
        moment = time.monotonic()
        late = [a for a in running if self._deadlines.get(a, moment + 1) <= moment]
        for attempt in late:
            attempt.time_out()
            self.abandon(attempt)
        return late

    def abandon(self, attempt: Attempt) -> None:
        """Stop waiting for a body: cancel it, or leave its thread alone and count it."""
        attempt.give_up()
        job = self._jobs.get(attempt)
        self._forget(attempt)
        if isinstance(job, Job):
            self._give_up(attempt, job)
        elif job is not None:
            job.cancel()

    def _give_up(self, attempt: Attempt, job: Job) -> None:
        pool = self._threads()
        pool.give_up(job)
        if job.abandoned and not attempt.body.is_remote:
            logger.warning(
                "task %s was given up and its result is discarded, but its thread still runs "
                "(one of %d); have it look at get_task_context().cancelled",
                attempt.body.node.path,
                pool.abandoned,
            )

    def running(self) -> list[Attempt]:
        """Return the attempts that were started and whose end was not yet waited for."""
        return list(self._jobs)

    def pause(self, seconds: float) -> None:
        """Wait for a while, or until stopped; for when nothing runs."""
        with contextlib.suppress(queue.Empty):
            self._ended.get(timeout=seconds)
        if self.stopped:
            raise DriveStoppedError

    def stop(self) -> None:
        """Make the drive end before its next body; may be called from any thread."""
        self.stopped = True
        self._ended.put(None)

    def close(self) -> None:
        """Give up what still runs, and let the threads end."""
        for attempt in self.running():
            self.abandon(attempt)
        if self._pool is not None:
            self._pool.close()
        self._is_closed = True
        loop = self._private_loop
        if loop is not None:
            # A body may have closed it.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(loop.stop)

    def _forget(self, attempt: Attempt) -> None:
        if isinstance(self._jobs.pop(attempt, None), Future):
            self._coroutines -= 1
        self._deadlines.pop(attempt, None)

    def _threads(self) -> ThreadPool:
        if self._pool is None:
            self._pool = ThreadPool(self.size, "sayiir-task")
        return self._pool

    def _run_here(self, attempt: Attempt) -> None:
        try:
            attempt.run()
        except BaseException as interruption:  # noqa: BLE001 - kept for the driver to raise
            attempt.error, attempt.outcome = interruption, None
        self._end(attempt)

    def _end(self, attempt: Attempt) -> None:
        if not attempt.is_set or attempt in self._jobs:
            self._ended.put(attempt)

    def _start_coroutine(self, attempt: Attempt, context: contextvars.Context) -> None:
        loop = self._loop or self._own_loop()
        # Before it begins: it may break the loop, and whoever notices that looks here for it.
        future: Future[Any] = Future()
        self._jobs[attempt] = future

        def begin() -> None:
            if future.cancelled():
                return
            task = loop.create_task(self._await(attempt), context=context)
            task.add_done_callback(lambda ended: self._note_silence(attempt, ended))
            future.add_done_callback(
                lambda f: loop.call_soon_threadsafe(task.cancel) if f.cancelled() else None
            )

        try:
            loop.call_soon_threadsafe(begin)
        except RuntimeError:
            if not loop.is_closed():
                raise
            attempt.fail(RuntimeError(LOOP_BROKEN))
            self._ended.put(attempt)

    async def _await(self, attempt: Attempt) -> None:
        try:
            await attempt.run_async()
        except GeneratorExit:
            # Its loop was closed under it, which is noticed elsewhere.
            return
        except BaseException as interruption:  # noqa: BLE001 - kept for the driver to raise
            attempt.error, attempt.outcome = interruption, None
        self._conclude(attempt)

    def _note_silence(self, attempt: Attempt, ended: asyncio.Task[None]) -> None:
        """Conclude what was cancelled before its first step, and so could not say that itself."""
        if ended.cancelled() and attempt.outcome is None and attempt.error is None:
            attempt.error = asyncio.CancelledError()
            self._conclude(attempt)

    def _conclude(self, attempt: Attempt) -> None:
        is_ours = self._loop is None and not attempt.is_set
        if is_ours and isinstance(attempt.error, asyncio.CancelledError):
            # On a private loop only another body can have done that; nobody is to be ended by it.
            attempt.fail(attempt.error)
        self._end(attempt)

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        if self._private_loop is None:
            loop = asyncio.new_event_loop()
            threading.Thread(
                target=self._serve, args=(loop,), name="sayiir-loop", daemon=True
            ).start()
            self._private_loop = loop
        return self._private_loop

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        serve(loop, lambda: self._is_closed)
        if not self._is_closed:
            self._private_loop = None
            for attempt, job in list(self._jobs.items()):
                if isinstance(job, Future):
                    attempt.fail(RuntimeError(LOOP_BROKEN))
                    self._end(attempt)
