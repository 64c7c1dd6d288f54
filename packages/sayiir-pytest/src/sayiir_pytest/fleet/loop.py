"""The loops of a worker that turn on threads of their own."""

from __future__ import annotations

from collections.abc import Callable

from sayiir_pytest.fleet.process import Process
from sayiir_runtime.worker.script import Script

Perform = Callable[[Script[float], Callable[[float], None]], None]


class Loop:
    """One thread of a worker: it takes turns, and waits in between until it is woken."""

    def __init__(
        self, process: Process, perform: Perform, turn: Callable[[], Script[float]]
    ) -> None:
        self._process = process
        self._perform = perform
        self._turn = turn
        self.is_busy = False
        self._is_woken = False
        self._is_stopped = False
        self._wait = 0

    def stop(self) -> None:
        """Take no further turn."""
        self._is_stopped = True

    def wake(self) -> None:
        """Take a turn soon."""
        self._is_woken = True
        if not self.is_busy:
            self._go()

    def _go(self) -> None:
        if self._is_stopped:
            return
        self.is_busy, self._is_woken = True, False
        self._perform(self._turn(), self._rest)

    def _rest(self, seconds: float) -> None:
        self.is_busy = False
        self._wait += 1
        number = self._wait
        wait = 0.0 if self._is_woken else seconds
        self._process.after(wait, lambda: self._continue(number))

    def _continue(self, number: int) -> None:
        if number == self._wait and not self.is_busy:
            self._go()
