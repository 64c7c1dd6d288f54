"""Several worker processes under one parent, which starts again what dies.

How this works: children are started as fresh programs, never forked, so nothing of the parent's
threads and connections is in them. Each child reads a pipe whose other end only the parent holds: at its
end the parent is gone, however it died, and the child drains. The parent passes signals on, and
ends when all children have ended.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Final

logger = logging.getLogger("sayiir.worker")

PARENT_PIPE: Final = "SAYIIR_PARENT_PIPE"
"""The environment variable with the number of the pipe to the parent."""

_STEP_SECONDS: Final = 0.1
_FIRST_DELAY_SECONDS: Final = 0.5
_LONGEST_DELAY_SECONDS: Final = 30.0
_STABLE_SECONDS: Final = 10.0
_HOPELESS_STARTS: Final = 5


def parent_is_gone() -> bool:
    """Tell, in a child, whether the process that started it has ended."""
    number = os.environ.get(PARENT_PIPE)
    if number is None:
        return False
    readable, _, _ = select.select([int(number)], [], [], 0)
    return bool(readable)


class _Child:
    """One place for a worker process, and the process that fills it."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.next_start = 0.0
        self.delay = _FIRST_DELAY_SECONDS
        self.short_lives = 0


class Supervisor:
    """Keep ``count`` processes running; each is ``command`` with a worker id of its own."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], count: int, name: str
    ) -> None:
        self._command = list(command)
        self._environment = dict(environment)
        self._name = name
        self._children = [_Child(position) for position in range(count)]
        self._signals: list[int] = []
        self._is_stopping = False

    def run(self) -> int:
        """Supervise until told to stop by SIGTERM or SIGINT; return the exit code.

        That is 1 if a child kept dying soon after its start, and all were stopped for it.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda got, _frame: self._signals.append(got))
        read_end, write_end = os.pipe()
        try:
            return self._supervise(read_end)
        finally:
            os.close(write_end)
            os.close(read_end)

    def _supervise(self, pipe: int) -> int:
        code = 0
        while True:
            self._pass_signals_on()
            for child in self._children:
                if not self._look_after(child, pipe):
                    code = 1
                    self._signals.append(signal.SIGTERM)
            if self._is_stopping and all(child.process is None for child in self._children):
                return code
            time.sleep(_STEP_SECONDS)

    def _pass_signals_on(self) -> None:
        while self._signals:
            number = self._signals.pop(0)
            self._is_stopping = True
            logger.warning("%s: stopping all processes", signal.Signals(number).name)
            for child in self._children:
                if child.process is not None:
                    child.process.send_signal(number)

    def _look_after(self, child: _Child, pipe: int) -> bool:
        """Start a child, or notice its end; False if starting it again is hopeless."""
        if child.process is None:
            if not self._is_stopping and time.monotonic() >= child.next_start:
                self._start(child, pipe)
            return True
        code = child.process.poll()
        if code is None:
            return True
        child.process = None
        if self._is_stopping:
            return True
        return self._note_death(child, code)

    def _start(self, child: _Child, pipe: int) -> None:
        worker_id = f"{self._name}.{child.position}"
        child.process = subprocess.Popen(
            [*self._command, f"--worker-id={worker_id}"],
            env={**self._environment, PARENT_PIPE: str(pipe)},
            pass_fds=[pipe],
            # A Ctrl-C reaches the whole group; the parent alone decides what it means.
            start_new_session=True,
        )
        child.started = time.monotonic()
        logger.info("worker process %s started (pid %d)", worker_id, child.process.pid)

    def _note_death(self, child: _Child, code: int) -> bool:
        lived = time.monotonic() - child.started
        if lived > _STABLE_SECONDS:
            child.short_lives, child.delay = 0, _FIRST_DELAY_SECONDS
        else:
            child.short_lives += 1
            child.delay = min(child.delay * 2, _LONGEST_DELAY_SECONDS)
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        if code > 0 and child.short_lives >= _HOPELESS_STARTS:
            logger.error("worker process %d ended %d times (%s)", child.position, code, how)
            return False
        logger.warning(
            "worker process %d ended (%s) after %.1f s; it starts again in %.1f s",
            child.position,
            how,
            lived,
            child.delay,
        )
        child.next_start = time.monotonic() + child.delay
        return True
