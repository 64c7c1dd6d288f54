"""Several worker processes under one parent, which starts again what dies.

How this works: children are started as fresh programs, never forked, so nothing of the parent's
threads and connections is in them. Each child is given the reading end of a pipe whose other end
only the parent holds: at its end the parent is gone, however it died, and the child drains. The
parent passes signals on, and ends when all children have ended.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

logger = logging.getLogger("sayiir.worker")

CANNOT_START: Final = 2
"""The exit code of a child that would fail in the same way if it were started again."""

_STEP_SECONDS: Final = 0.1
_FIRST_DELAY_SECONDS: Final = 0.5
_LONGEST_DELAY_SECONDS: Final = 30.0
_STABLE_SECONDS: Final = 10.0
_HOPELESS_STARTS: Final = 5


def parent_is_gone(pipe: int) -> bool:
    """Tell, in a child, whether the process that started it has ended."""
    readable, _, _ = select.select([pipe], [], [], 0)
    return bool(readable)


class _Child:
    """One place for a worker process, and the process that fills it."""

    def __init__(self, worker_id: str, arguments: Sequence[str]) -> None:
        self.worker_id = worker_id
        self.arguments = arguments
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.next_start = 0.0
        self.delay = _FIRST_DELAY_SECONDS
        self.short_lives = 0


class Supervisor:
    """Keep ``count`` processes running.

    Each is ``command`` with ``--worker-id=NAME.POSITION``, with what ``own`` returns for its position,
    and with ``--parent-pipe=FD``, to be asked by ``parent_is_gone``.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        count: int,
        name: str,
        *,
        own: Callable[[int], Sequence[str]] = lambda _: (),
    ) -> None:
        self._command = list(command)
        self._environment = dict(environment)
        self._children = [_Child(f"{name}.{position}", own(position)) for position in range(count)]
        self._signals: list[int] = []
        self._is_stopping = False
        self._code = 0

    def run(self) -> int:
        """Supervise until told to stop by SIGTERM or SIGINT; return the exit code.

        All are stopped if one cannot be kept running: 2 if it was called wrongly, 1 if it failed
        five times soon after its start. One that is killed is started again for ever.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda got, _frame: self._signals.append(got))
        read_end, write_end = os.pipe()
        try:
            self._supervise(read_end)
        finally:
            os.close(write_end)
            os.close(read_end)
        return self._code

    def _supervise(self, pipe: int) -> None:
        while not self._is_stopping or any(child.process for child in self._children):
            while self._signals:
                number = self._signals.pop(0)
                self._stop(number, signal.Signals(number).name)
            for child in self._children:
                self._look_after(child, pipe)
            time.sleep(_STEP_SECONDS)
        logger.info("all worker processes have ended")

    def _stop(self, number: int, reason: str) -> None:
        self._is_stopping = True
        logger.warning("%s: stopping all worker processes", reason)
        for child in self._children:
            if child.process is not None:
                child.process.send_signal(number)

    def _look_after(self, child: _Child, pipe: int) -> None:
        if child.process is None:
            if not self._is_stopping and time.monotonic() >= child.next_start:
                self._start(child, pipe)
            return
        code = child.process.poll()
        if code is None:
            return
        child.process = None
        if self._is_stopping:
            logger.info("worker process %s ended (%s)", child.worker_id, _how(code))
        else:
            self._note_death(child, code)

    def _start(self, child: _Child, pipe: int) -> None:
        child.started = time.monotonic()
        child.process = subprocess.Popen(
            [
                *self._command,
                f"--worker-id={child.worker_id}",
                f"--parent-pipe={pipe}",
                *child.arguments,
            ],
            env=self._environment,
            pass_fds=[pipe],
            # A Ctrl-C reaches the whole group; the parent alone decides what it means.
            start_new_session=True,
        )
        logger.info("worker process %s started (pid %d)", child.worker_id, child.process.pid)

    def _note_death(self, child: _Child, code: int) -> None:
        lived = time.monotonic() - child.started
        if lived > _STABLE_SECONDS:
            child.short_lives, child.delay = 0, _FIRST_DELAY_SECONDS
        child.short_lives += 1
        if code == CANNOT_START or (code >= 0 and child.short_lives >= _HOPELESS_STARTS):
            self._code = CANNOT_START if code == CANNOT_START else 1
            reason = (
                f"worker process {child.worker_id} cannot be kept running ({_how(code)}, "
                f"{child.short_lives} times)"
            )
            self._stop(signal.SIGTERM, reason)
            return
        logger.warning(
            "worker process %s ended (%s) after %.1f s; it starts again in %.1f s",
            child.worker_id,
            _how(code),
            lived,
            child.delay,
        )
        child.next_start = time.monotonic() + child.delay
        child.delay = min(child.delay * 2, _LONGEST_DELAY_SECONDS)


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
