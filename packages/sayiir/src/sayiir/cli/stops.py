"""Requests to stop a worker process: signals, and the end of the process that started it."""

from __future__ import annotations

import os
import signal
from time import monotonic
from typing import Final

from sayiir.cli.refusal import EXIT_FAILED
from sayiir_runtime.worker.processes import parent_is_gone

_ONE_SECONDS: Final = 1.0


class Stops:
    """Collect requests to stop from the moment this is made, in the main thread.

    The handler only notes them: whatever it called could be what it has interrupted. The third
    signal ends the process wherever it is, for what hangs after the second. Signals within one
    second are one: a supervisor often tells the whole group, and a parent tells its children.
    """

    def __init__(self, parent_pipe: int | None) -> None:
        self._parent_pipe = parent_pipe
        self._reasons: list[str] = []
        self._taken = 0
        self._noted_at = -_ONE_SECONDS
        # Also as process 1 of a container, where a signal without a handler does nothing.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    @property
    def were_asked(self) -> bool:
        """Tell whether anybody has asked this process to stop."""
        return bool(self._reasons)

    def take(self) -> str | None:
        """Return why to stop, once for each request; None if nobody has asked again."""
        pipe = self._parent_pipe
        if pipe is not None and not self._reasons and parent_is_gone(pipe):
            self._reasons.append("the process that started this one is gone")
        if self._taken == len(self._reasons):
            return None
        self._taken += 1
        return self._reasons[self._taken - 1]

    def _note(self, number: int, _frame: object) -> None:
        now = monotonic()
        if now - self._noted_at < _ONE_SECONDS:
            return
        self._noted_at = now
        self._reasons.append(signal.Signals(number).name)
        if len(self._reasons) > 2:
            os._exit(EXIT_FAILED)
