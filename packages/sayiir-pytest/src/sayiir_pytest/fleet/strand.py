"""Code that blocks, in a story without blocking.

How this works: a strand is a real thread, and it and the scheduler take turns: either one runs or
the other, never both. Where the code would block, the scheduler goes on, and when what was waited
for has come it lets the strand go on. So real code with real calls is simulated, and every run
of a seed tells the same story.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

Answer = Callable[[], Any]
"""Returns what was waited for, or raises it."""


class KilledError(BaseException):
    """The process of this strand is dead; nothing that it does matters any more."""


class Strand:
    """One thread of a simulated process."""

    def __init__(self, run: Callable[[], None], *, name: str) -> None:
        self._run = run
        self._mine = threading.Lock()
        self._others = threading.Lock()
        self._mine.acquire()
        self._others.acquire()
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)
        self._answer: Answer = _nothing
        self._number = 0
        self._is_killed = False
        self._is_over = False
        self._error: BaseException | None = None

    @property
    def is_current(self) -> bool:
        """Tell whether this is the thread that asks."""
        return threading.current_thread() is self._thread

    def start(self) -> None:
        """Let it run until it waits for the first time."""
        self._thread.start()
        self._yield_to_it()

    def wait(self, begin: Callable[[Callable[[Answer], None]], None]) -> Any:
        """Wait, on the strand, for what ``begin`` is given the way to bring.

        Only the first answer counts. Raises ``KilledError`` when the process has died.
        """
        if self._is_killed:
            raise KilledError
        self._number += 1
        number = self._number
        begin(lambda answer: self._go_on(number, answer))
        self._others.release()
        self._mine.acquire()
        return self._answer()

    def kill(self) -> None:
        """End it where it waits, or where it is if it asks for that itself."""
        self._is_killed = True
        if self.is_current:
            raise KilledError
        self._go_on(self._number, _killed)
        self._thread.join()

    def _go_on(self, number: int, answer: Answer) -> None:
        if number != self._number or self._is_over:
            return
        # No second answer to the same wait.
        self._number += 1
        self._answer = answer
        self._mine.release()
        self._yield_to_it()

    def _yield_to_it(self) -> None:
        self._others.acquire()
        if self._error is not None:
            raise self._error

    def _live(self) -> None:
        try:
            self._run()
        except KilledError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised where the scheduler waits
            self._error = error
        finally:
            self._is_over = True
            self._others.release()


def _nothing() -> None:
    return None


def _killed() -> None:
    raise KilledError
