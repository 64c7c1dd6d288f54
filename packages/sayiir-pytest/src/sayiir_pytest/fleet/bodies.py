"""How long simulated bodies take, and those of a runner that it does not call itself."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable
from functools import partial
from random import Random
from typing import Final

from sayiir_core.authoring import TaskMetadata
from sayiir_pytest.fleet.process import Process
from sayiir_pytest.fleet.strand import Answer, Strand
from sayiir_pytest.strategies.build import hanging_attempts
from sayiir_runtime.runner.attempt import Attempt
from sayiir_runtime.runner.bodies import MAX_THREADS, DriveStoppedError

_SECONDS: Final = (0.0, 0.01, 0.5, 3.0, 45.0)
_WEIGHTS: Final = (60, 20, 10, 8, 2)


def seconds_of_body(random: Random, metadata: TaskMetadata, attempt: int) -> float:
    """Return how long a body takes: far below its timeout, or beyond it if it hangs.

    ``attempt`` is what the body sees, counted from 1.
    """
    limit = metadata.timeout_secs
    if limit is not None and attempt <= hanging_attempts(metadata):
        return limit + random.choice([0.001, 0.05, 1.0, 20.0])
    (seconds,) = random.choices(_SECONDS, _WEIGHTS)
    return seconds if limit is None else min(seconds, limit / 4)


def attempt_number(attempt: Attempt) -> int:
    """Return the number of an attempt as its body sees it."""
    cursor = attempt.claim.cursor
    return cursor.attempt - cursor.fresh_from + 1


def call(attempt: Attempt) -> None:
    """Call a body to its end, in a context of its own."""
    contextvars.copy_context().run(_call, attempt)


def _call(attempt: Attempt) -> None:
    if not attempt.body.is_async:
        attempt.run()
        return
    # A body of a simulation waits for nothing, so one push takes it to its end.
    try:
        attempt.run_async().send(None)
    except StopIteration:
        return
    raise RuntimeError(f"{attempt.body.node.path} must not wait for anything in a simulation")


class VirtualBodies:
    """The threads and the loop of a drive, as ``BodyRunner`` is, in the time of the story.

    ``begins`` is called with each attempt that starts, and tells whether it kills its process;
    ``late`` with each that is timed out.
    """

    size = MAX_THREADS

    def __init__(
        self,
        process: Process,
        strand: Strand,
        *,
        begins: Callable[[Attempt], bool],
        late: Callable[[Attempt], None],
        die: Callable[[], None],
    ) -> None:
        self._process = process
        self._strand = strand
        self._begins = begins
        self._late = late
        self._die = die
        self._running: dict[Attempt, float | None] = {}
        self._ended: list[Attempt] = []
        self._bring: Callable[[Answer], None] | None = None
        self.stopped = False

    def has_room(self, is_async: bool) -> bool:  # noqa: ARG002 - one limit for both kinds
        """Tell whether one more body may start."""
        return len(self._running) < self.size

    def start(self, attempt: Attempt) -> None:
        """Start a body; its end arrives at ``wait``."""
        world = self._process.world
        body = attempt.body
        limit = body.timeout_seconds
        self._running[attempt] = None if limit is None else world.monotonic() + limit
        seconds = seconds_of_body(world.random, body.metadata, attempt_number(attempt))
        if self._begins(attempt):
            self._process.after(seconds / 2, self._die)
        self._process.after(seconds, partial(self._end, attempt))

    def _end(self, attempt: Attempt) -> None:
        # A coroutine that was given up is cancelled, a thread runs on.
        if attempt in self._running or not attempt.body.is_async:
            call(attempt)
        if attempt not in self._running:
            return
        limit = self._running[attempt]
        # Whoever looks for what runs too long is never later than the end of it.
        if limit is None or self._process.world.monotonic() < limit:
            self._ended.append(attempt)
        self._wake()

    def wait(self, timeout: float) -> list[Attempt]:
        """Return what has ended, waiting for the first end until a deadline or the timeout."""
        limits = [limit for limit in self._running.values() if limit is not None]
        if limits:
            timeout = min(timeout, min(limits) - self._process.world.monotonic())
        if not self._ended:
            self.pause(max(0.0, timeout))
        ended, self._ended = self._ended, []
        for attempt in ended:
            self._running.pop(attempt, None)
        if self.stopped:
            raise DriveStoppedError
        return ended

    def overdue(self, running: Iterable[Attempt]) -> list[Attempt]:
        """Give up the attempts whose timeout has passed, and return them as timed out."""
        moment = self._process.world.monotonic()
        late: list[Attempt] = []
        for attempt in running:
            limit = self._running.get(attempt)
            if limit is not None and limit <= moment:
                self._late(attempt)
                attempt.time_out()
                self.abandon(attempt)
                late.append(attempt)
        return late

    def abandon(self, attempt: Attempt) -> None:
        """Stop waiting for a body."""
        attempt.is_set = True
        self._running.pop(attempt, None)

    def pause(self, seconds: float) -> None:
        """Wait for a while, or until a body ends or all is stopped."""

        def begin(bring: Callable[[Answer], None]) -> None:
            self._bring = bring
            self._process.after(seconds, lambda: bring(_nothing))

        self._strand.wait(begin)
        self._bring = None
        if self.stopped:
            raise DriveStoppedError

    def stop(self) -> None:
        """Make the drive end before its next body."""
        self.stopped = True
        self._wake()

    def _wake(self) -> None:
        if self._bring is not None:
            self._bring(_nothing)

    def close(self) -> None:
        """Give up what still runs."""
        for attempt in list(self._running):
            self.abandon(attempt)


def _nothing() -> None:
    return None
