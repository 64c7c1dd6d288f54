"""Where a worker's bodies run: on daemon threads, and on one event loop.

How this works: a thread takes a body from the desk, runs it, reports its end and takes the next, so
quick bodies cost no hop between threads. When there is more to do than one thread gets done, each
thread that takes a body calls one more, until as many run as the desk lets; at most one is on its
way at a time, so that a heap of quick bodies does not wake threads that find nothing. Coroutines are
started by the loop itself, many per wake-up. Each body runs in a context of its own.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from sayiir_core.errors import BackendError
from sayiir_core.ports.results import ResultStore
from sayiir_runtime.logs import worker_name
from sayiir_runtime.runner.attempt import Attempt
from sayiir_runtime.runner.event_loop import LOOP_BROKEN, serve
from sayiir_runtime.runner.input import MISSING, InputReader
from sayiir_runtime.runner.looks import Looks
from sayiir_runtime.runner.pool import ThreadPool
from sayiir_runtime.worker.desk import Desk
from sayiir_runtime.worker.held import Held
from sayiir_runtime.worker.loop_check import LoopCheck

logger = logging.getLogger("sayiir.worker")

_READERS: Final = 4


class Crew:
    """The threads and the loop of one worker.

    ``on_end`` is called after a body has ended, ``on_limit`` with its timeout, in seconds, before
    one starts that has one.
    """

    def __init__(
        self,
        desk: Desk,
        results: ResultStore,
        on_end: Callable[[], None],
        on_limit: Callable[[float], None],
        *,
        worker_id: str,
    ) -> None:
        self._desk = desk
        self._results = results
        self._looks = Looks()
        self._on_end = on_end
        self._on_limit = on_limit
        self._name = name = f"sayiir-{worker_id}"
        self._context = contextvars.Context()
        self._context.run(worker_name.set, worker_id)
        self._changed = threading.Condition()
        self._threads = 0
        self._idle = 0
        self._is_calling = False
        self._is_closed = False
        self._on_threads: set[Attempt] = set()
        self._given_up: set[Attempt] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_loop_called = False
        self._tasks: dict[Attempt, asyncio.Task[None]] = {}
        self._check = LoopCheck(name)
        self._readers = ThreadPool(_READERS, f"{name}-input")

    @property
    def abandoned(self) -> int:
        """Return how many bodies were given up and still run on their threads."""
        return len(self._given_up)

    @property
    def loop_lag(self) -> float:
        """Return for how many seconds the event loop has not answered, 0 if it does."""
        return self._check.lag

    def wake(self) -> None:
        """Look for bodies to start; cheap if there are none."""
        if self._desk.waiting(is_async=False) and not self._is_calling:
            self._call_thread()
        if self._desk.waiting(is_async=True):
            self._call_loop()

    def abandon(self, attempts: Iterable[Attempt]) -> None:
        """Stop waiting for bodies: cancel them, or leave their threads alone and count these."""
        for attempt in attempts:
            attempt.give_up()
            if attempt.body.is_async:
                self._tell_loop(self._cancel, attempt)
                continue
            with self._changed:
                self._given_up.add(attempt)
                # Looked up after it was noted: its thread takes these two steps the other way round.
                if attempt not in self._on_threads:
                    self._given_up.discard(attempt)
                    continue
            if attempt.body.is_remote:
                continue
            logger.warning(
                "task %s of instance %s was given up and its result is discarded, but its thread "
                "still runs (one of %d); have it look at get_task_context().cancelled",
                attempt.body.node.path,
                attempt.claim.lease.instance_id,
                self.abandoned,
            )

    def close(self) -> None:
        """Let idle threads and the loop end; bodies that still run are left alone."""
        with self._changed:
            self._is_closed = True
            if self._loop is not None:
                self._post(self._loop.stop)
            self._changed.notify_all()
        self._readers.close()

    # Threads.

    def _call_thread(self) -> None:
        with self._changed:
            if self._is_calling or self._is_closed:
                return
            if self._idle:
                self._is_calling = True
                self._changed.notify()
            elif self._threads - len(self._given_up) < self._desk.concurrency:
                self._start_thread()

    def _start_thread(self) -> None:
        name = f"{self._name}-task-{self._threads + 1}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._is_calling = True
        self._threads += 1
        try:
            thread.start()
        except RuntimeError:
            # The machine has no thread to give at the moment; the next wake-up asks again.
            self._is_calling = False
            self._threads -= 1
            logger.exception("%s cannot start a thread for its tasks, trying again", self._name)

    def _work(self) -> None:
        self._is_calling = False
        while not self._is_closed:
            # While this thread rests it keeps no values of what it ran.
            attempt: Attempt | None = None
            held = self._desk.take(is_async=False)
            if held is None:
                if self._desk.can_commit():
                    self._on_end()
                self._rest()
                continue
            if not self._is_calling and self._desk.waiting(is_async=False):
                self._call_thread()
            attempt = self._prepare(held)
            if attempt is None:
                continue
            self._on_threads.add(attempt)
            if self._is_wanted(held):
                self._call(attempt)
            self._on_threads.discard(attempt)
            if self._given_up and self._was_given_up(attempt):
                return
            self._desk.ended(held, attempt)
            self._on_end()
            if self._desk.waiting(is_async=True):
                self._call_loop()
        with self._changed:
            self._threads -= 1

    def _call(self, attempt: Attempt) -> None:
        try:
            self._context.copy().run(attempt.run)
        except BaseException as error:  # noqa: BLE001 - or its thread and its slot are gone
            attempt.error, attempt.outcome = error, None

    def _rest(self) -> None:
        with self._changed:
            if self._is_closed or self._desk.waiting(is_async=False):
                return
            self._idle += 1
            self._changed.wait()
            self._idle -= 1
            self._is_calling = False

    def _was_given_up(self, attempt: Attempt) -> bool:
        """Tell whether this thread is not needed any more, since another took its place."""
        with self._changed:
            if attempt not in self._given_up:
                return False
            self._given_up.discard(attempt)
            self._threads -= 1
            return True

    def _is_wanted(self, held: Held) -> bool:
        """Note that a body is about to be called, unless it was given up since it was taken."""
        if not self._desk.started(held):
            return False
        assert held.body is not None
        seconds = held.body.timeout_seconds
        if seconds is not None:
            self._on_limit(seconds)
        return True

    def _prepare(self, held: Held) -> Attempt | None:
        """Read and decode the input; None if that ended the attempt or must be tried later."""
        body, claim = held.body, held.claim
        assert body is not None
        attempt = held.begin(MISSING, self._desk.clock)
        if not body.takes_value:
            return attempt
        try:
            attempt.value = self._reader(held).read(claim, held.carry, body)
        except BaseException as error:  # noqa: BLE001 - decoding calls user code, too
            if isinstance(error, BackendError) and error.transient:
                logger.warning(
                    "instance %s: the input of task %s cannot be read, trying again: %s",
                    claim.lease.instance_id,
                    body.node.path,
                    error,
                )
                self._desk.unfit(held)
                self._on_end()
                return None
            attempt.fail(error)
        else:
            return attempt
        self._desk.ended(held, attempt)
        self._on_end()
        return None

    def _reader(self, held: Held) -> InputReader:
        lease, program = held.claim.lease, held.program
        return InputReader(
            self._results,
            program.codec,
            program.definition,
            lease.instance_id,
            lease.run_id,
            self._looks,
        )

    # The event loop.

    def _tell_loop(self, call: Callable[..., None], *arguments: Any) -> None:
        """Have the loop make a call, unless it is closed."""
        with self._changed:
            if self._is_closed:
                return
            if self._loop is None and not self._start_loop():
                return
            self._post(call, *arguments)

    def _start_loop(self) -> bool:
        loop = asyncio.new_event_loop()
        name = f"{self._name}-loop"
        try:
            threading.Thread(target=self._serve, args=(loop,), name=name, daemon=True).start()
        except RuntimeError:
            loop.close()
            self._is_loop_called = False
            logger.exception("%s cannot start a thread for its loop, trying again", self._name)
            return False
        self._loop = loop
        return True

    def _post(self, call: Callable[..., None], *arguments: Any) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            if not self._loop.is_closed():
                raise
            # A body has closed it; its thread is about to notice, and looks for all that is lost.

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        serve(loop, lambda: self._is_closed)
        if not self._is_closed:
            logger.error("%s goes on with a new event loop: %s", self._name, LOOP_BROKEN)
            running = self._desk.running()
            self._tasks.clear()
            self._end([it for it in running if it.body is not None and it.body.is_async])
            with self._changed:
                self._loop = None
                self._check.answered()
                self._is_loop_called = False
            self.wake()

    def _end(self, lost: Iterable[Held]) -> None:
        """End the attempts of coroutines that never come to an end of their own."""
        for held in lost:
            if held.attempt is None:
                self._desk.unfit(held)
            else:
                held.attempt.error = held.attempt.error or RuntimeError(LOOP_BROKEN)
                self._desk.ended(held, held.attempt)
        self._on_end()

    def _call_loop(self) -> None:
        if not self._is_loop_called:
            self._is_loop_called = True
            self._tell_loop(self._start_coroutines)

    def _start_coroutines(self) -> None:
        self._is_loop_called = False
        self._start_ready()

    def _start_ready(self) -> None:
        while (held := self._desk.take(is_async=True)) is not None:
            if self._is_at_hand(held):
                self._start(held, self._prepare(held))
            else:
                # The store is not read on the loop, which would stop every other body.
                try:
                    self._readers.submit(partial(self._fetch, held))
                except RuntimeError:
                    logger.exception("%s cannot start a thread to read inputs", self._name)
                    self._desk.unfit(held)
        if self._desk.can_commit():
            self._on_end()

    def _is_at_hand(self, held: Held) -> bool:
        ref, carry = held.claim.cursor.input, held.carry
        assert held.body is not None
        return (
            not held.body.takes_value
            or (carry is not None and carry.leaf == ref)
            or ref in held.claim.inputs
        )

    def _fetch(self, held: Held) -> None:
        self._tell_loop(self._start, held, self._prepare(held))

    def _start(self, held: Held, attempt: Attempt | None) -> None:
        if attempt is None or not self._is_wanted(held):
            return
        task = asyncio.get_running_loop().create_task(
            self._await(held, attempt), context=self._context.copy()
        )
        self._tasks[attempt] = task

    async def _await(self, held: Held, attempt: Attempt) -> None:
        try:
            await attempt.run_async()
        except GeneratorExit:
            # Its loop was closed under it; whoever served that ends what it has lost.
            raise
        except BaseException as error:  # noqa: BLE001 - or its slot is gone
            attempt.error, attempt.outcome = error, None
        finally:
            self._tasks.pop(attempt, None)
        self._desk.ended(held, attempt)
        self._on_end()
        # The next one starts here and now: each further turn of the loop lets the other threads
        # have the interpreter's lock.
        self._start_ready()
        self.wake()

    def _cancel(self, attempt: Attempt) -> None:
        task = self._tasks.pop(attempt, None)
        if task is not None:
            task.cancel()

    def watch(self) -> None:
        """Report a loop that does not turn, because a coroutine blocks it.

        What got no thread when it was first asked for is asked for again.
        """
        self.wake()
        if self._loop is None:
            return
        if self._check.is_open:
            self._check.report(attempt.body.node.path for attempt in list(self._tasks))
        else:
            self._check.ask()
            self._tell_loop(self._answer)

    def _answer(self) -> None:
        self._check.answered()
        # A task that is cancelled before its first step ends without a word.
        silent = {attempt for attempt, task in self._tasks.items() if task.done()}
        if silent:
            for attempt in silent:
                del self._tasks[attempt]
                attempt.error = asyncio.CancelledError()
            self._end([held for held in self._desk.running() if held.attempt in silent])
            self.wake()
