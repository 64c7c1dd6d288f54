"""What a worker knows of a store that cannot be reached: how long to wait, said once, visible."""

from __future__ import annotations

import logging
import threading
from random import Random
from typing import Final

from sayiir_runtime.worker.counts import Counts

logger = logging.getLogger("sayiir.worker")

_FIRST_SECONDS: Final = 0.05
_LONGEST_SECONDS: Final = 3.0


class Outage:
    """The trouble that all threads of a worker have with their store, None most of the time."""

    def __init__(self, counts: Counts, worker_id: str, random: Random) -> None:
        self._counts = counts
        self._worker_id = worker_id
        self._random = random
        self._lock = threading.Lock()
        self._delay = 0.0
        self.trouble: str | None = None

    def note(self, error: BaseException) -> float:
        """Note that the store could not be reached; return how long to wait, in seconds."""
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
            return self._delay * self._random.uniform(0.5, 1.0)

    def over(self) -> None:
        """Note that the store has answered."""
        if self.trouble is None:
            return
        with self._lock:
            trouble, self.trouble = self.trouble, None
            self._delay = 0.0
        if trouble:
            logger.warning("worker %s reaches its store again", self._worker_id)
