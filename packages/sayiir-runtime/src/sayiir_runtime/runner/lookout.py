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
from dataclasses import dataclass
from typing import Final, Protocol

from sayiir_core.errors import BackendError
from sayiir_runtime.runner.attempt import Attempt

logger = logging.getLogger("sayiir.runner")

INTERVAL_SECONDS: Final = 0.5


class Watched(Protocol):
    """A driver."""

    @property
    def inline(self) -> Attempt | None:
        """Return the body that it is calling in its own thread."""
        ...


@dataclass(slots=True)
class _Watch:
    driver: Watched
    is_wanted: Callable[[], bool]
    seen: Attempt | None = None


class Lookout:
    """Watch drivers."""

    def __init__(self, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._interval = interval_seconds
        self._lock = threading.Lock()
        self._watches: list[_Watch] = []
        self._thread: threading.Thread | None = None

    def watch(self, driver: Watched, is_wanted: Callable[[], bool]) -> Callable[[], None]:
        """Watch a driver until the returned function is called.

        ``is_wanted`` asks the store whether anybody still wants what the driver runs; if not,
        the body that it is in is told.
        """
        watch = _Watch(driver, is_wanted)
        with self._lock:
            self._watches.append(watch)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._look_out, name="sayiir-lookout", daemon=True
                )
                self._thread.start()

        def end() -> None:
            with self._lock:
                self._watches.remove(watch)

        return end

    def _look_out(self) -> None:
        while True:
            time.sleep(self._interval)
            with self._lock:
                watches = list(self._watches)
                if not watches:
                    self._thread = None
                    return
            for watch in watches:
                _look(watch)


def _look(watch: _Watch) -> None:
    attempt = watch.driver.inline
    if attempt is None or attempt is not watch.seen:
        watch.seen = attempt
        return
    try:
        attempt.is_set = attempt.is_set or not watch.is_wanted()
    except BackendError as error:
        logger.debug("%s is told later whether it is wanted: %s", attempt.body.node.path, error)
