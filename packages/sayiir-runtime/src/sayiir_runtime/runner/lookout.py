"""Tell bodies that run in their driver's own thread what the driver cannot look for meanwhile.

How this works: a driver whose bodies run on other threads looks at the store now and then. One
that calls a body itself cannot. So one daemon thread looks, for all drivers of a session, and
only at those that have been in one body for a whole interval: quick steps cost nothing. The
thread ends when there is nothing to watch.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from sayiir_core.errors import BackendError
from sayiir_core.ids import RunKey

logger = logging.getLogger("sayiir.runner")

INTERVAL_SECONDS: Final = 0.5


class Inline(Protocol):
    """What a driver calls in its own thread: bodies, each of which has a position of its own.

    ``is_set`` tells the body, through its context, that nobody waits for it any more.
    """

    is_set: bool

    @property
    def position(self) -> int:
        """Return a number that differs from body to body."""
        ...


class Watch:
    """A drive, with the body that its driver calls in its own thread just now.

    ``is_wanted`` asks the store whether anybody still wants what the run does.
    """

    __slots__ = ("inline", "is_wanted", "run", "seen")

    def __init__(self, run: RunKey, is_wanted: Callable[[RunKey], bool]) -> None:
        self.run = run
        self.is_wanted = is_wanted
        self.inline: Inline | None = None
        self.seen: tuple[Inline, int] | None = None

    def look(self) -> None:
        """Tell the body that it is not wanted, if it has been in since the last look."""
        inline = self.inline
        found = None if inline is None else (inline, inline.position)
        if inline is None or found != self.seen:
            self.seen = found
            return
        try:
            inline.is_set = inline.is_set or not self.is_wanted(self.run)
        except BackendError as error:
            logger.debug("instance %s is asked for later: %s", self.run.instance_id, error)


class Lookout:
    """Watch drives."""

    def __init__(self, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._interval = interval_seconds
        # Changed without the lock, which every run would pay for; each change is atomic.
        self._watches: dict[Watch, None] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self, watch: Watch) -> None:
        """Watch a drive until ``end``."""
        self._watches[watch] = None
        if self._thread is None:
            self._start()

    def end(self, watch: Watch) -> None:
        """Watch a drive no longer."""
        self._watches.pop(watch, None)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._look_out, name="sayiir-lookout", daemon=True
                )
                self._thread.start()

    def _look_out(self) -> None:
        while True:
            time.sleep(self._interval)
            watches = list(self._watches)
            if not watches and self._may_end():
                return
            for watch in watches:
                watch.look()

    def _may_end(self) -> bool:
        with self._lock:
            # A drive that begins from here on starts another thread; one that began before, and
            # relied on this one, is found by a second look.
            self._thread = None
            if not self._watches:
                return True
            self._thread = threading.current_thread()
            return False
