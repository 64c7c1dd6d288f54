"""What events are still to be made of, so that a run pays for noting it and not for the events.

How this works: code that runs between two waits for a server finds the processor's caches cold, and costs
there twice of what it costs elsewhere. So who causes events leaves the facts, and a sink's thread makes the
events of them while the run waits for its store. What is told at once queues behind them, to keep the order.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from sayiir_core.ports.telemetry import Event

logger = logging.getLogger("sayiir.telemetry")

MOST_DRAFTS: Final = 256
"""More than wait on the way to a server for as long as sinks pause; beyond, who adds one writes two."""

Tell = Callable[..., Iterable[Event]]


class Drafts:
    """Facts and events in the order in which they happened; ``put`` takes the finished events."""

    def __init__(self, put: Callable[[Event], None]) -> None:
        self._put = put
        self.begin()

    def begin(self) -> None:
        """Forget everything, as in a forked child: what the parent had noted, the parent tells."""
        self._waiting: deque[Event | tuple[Tell, tuple[Any, ...]]] = deque()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, draft: Event | tuple[Tell, tuple[Any, ...]]) -> None:
        """Keep an event, or what makes events of facts."""
        self._waiting.append(draft)
        if len(self._waiting) > MOST_DRAFTS:
            with self._lock:
                self._write_one()
                self._write_one()

    def write(self, most: int) -> None:
        """Make about so many events of drafts, unless another thread does so now."""
        if self._waiting and self._lock.acquire(blocking=False):
            try:
                while most > 0 and self._waiting:
                    most -= self._write_one()
            finally:
                self._lock.release()

    def write_all(self) -> None:
        """Make events of all drafts there are now."""
        for _ in range(len(self._waiting)):
            with self._lock:
                self._write_one()

    def _write_one(self) -> int:
        """Make the events of the oldest draft; return how many, and one for the work itself."""
        if not self._waiting:
            return 1
        # It stays in front until its events are out: what is told meanwhile queues behind it.
        draft = self._waiting[0]
        made = 1
        try:
            if isinstance(draft, tuple):
                tell, facts = draft
                for event in tell(*facts):
                    self._put(event)
                    made += 1
            else:
                self._put(draft)
        except Exception:
            logger.exception("an event could not be told")
        finally:
            self._waiting.popleft()
        return made
