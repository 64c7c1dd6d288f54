"""Waiting while the store cannot be reached: with back-off, said once, and visible."""

from __future__ import annotations

import logging
import random
import threading
from typing import Final

from sayiir_runtime.worker.counts import Counts

logger = logging.getLogger("sayiir.worker")

_FIRST_SECONDS: Final = 0.05
_LONGEST_SECONDS: Final = 3.0


class Outage:
    """What all threads of a worker know of their store."""

    def __init__(self, counts: Counts, worker_id: str) -> None:
        self._counts = counts
        self._worker_id = worker_id
        self._lock = threading.Lock()
        self._woken = threading.Condition()
        self._delay = 0.0
        self.trouble: str | None = None

    def wait(self, error: BaseException) -> None:
        """Note that the store could not be reached, and wait before the next try."""
        with self._lock:
            if self.trouble is None:
                self._counts.outages += 1
                logger.warning(
                    "worker %s cannot reach its store and waits; nothing is lost: %s",
                    self._worker_id,
                    error,
                )
            self.trouble = str(error)
            self._delay = min(_LONGEST_SECONDS, max(_FIRST_SECONDS, self._delay * 2))
            delay = self._delay * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        with self._woken:
            self._woken.wait(delay)

    def over(self) -> None:
        """Note that the store has answered."""
        if self.trouble is None:
            return
        with self._lock:
            if self.trouble is not None:
                logger.warning("worker %s reaches its store again", self._worker_id)
            self.trouble = None
            self._delay = 0.0

    def wake(self) -> None:
        """End the waiting of this moment."""
        with self._woken:
            self._woken.notify_all()
