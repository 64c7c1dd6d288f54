"""What no call of a store tells: how much waits, and how busy a worker is, looked at now and then.

How this works: a thread of an observed worker asks now and then, and what it finds goes to the sinks as
events, like everything else. The question to the store is bounded, however much waits.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from typing import Final

from sayiir_core.errors import BackendError
from sayiir_core.ports.telemetry import BacklogSampled, WorkerSampled
from sayiir_core.snapshot.head import Lane
from sayiir_runtime.telemetry.observed import ObservedBackend

logger = logging.getLogger("sayiir.telemetry")

INTERVAL_SECONDS: Final = 5.0
AT_MOST: Final = 1_000
"""How many cursors of a lane are counted."""


class Sampler:
    """Sample the lanes of one worker, and the worker itself.

    ``look`` returns how many bodies run, and whether the store's hints arrive.
    """

    def __init__(
        self,
        backend: ObservedBackend,
        worker_id: str,
        lanes: Collection[Lane],
        *,
        concurrency: int,
        look: Callable[[], tuple[int, bool]],
        interval: float = INTERVAL_SECONDS,
    ) -> None:
        self._backend = backend
        self._worker_id = worker_id
        self._lanes = lanes
        self._concurrency = concurrency
        self._look = look
        self._interval = interval
        self._stop = threading.Event()

    def stop(self) -> None:
        """End soon."""
        self._stop.set()

    def run(self) -> None:
        """Sample until stopped, at once and then at each interval."""
        while not self._stop.is_set():
            try:
                self.sample()
            except BackendError as error:
                logger.debug("the queues cannot be sampled, trying again: %s", error)
            except Exception:
                logger.exception("sampling failed, trying again")
            self._stop.wait(self._interval)

    def sample(self) -> None:
        """Look once, and tell."""
        emit, now = self._backend.outlet.emit, self._backend.now()
        running, is_told = self._look()
        emit(WorkerSampled(now, self._worker_id, self._concurrency, running, is_told))
        # Versions of a workflow have lanes of their own, and are one to whoever looks at it.
        found: dict[tuple[str, str], BacklogSampled] = {}
        for lane, ready, oldest in self._backend.plain.claims.backlog(self._lanes, at_most=AT_MOST):
            workflow_id, group = lane.identity.workflow_id, lane.group
            waited = None if oldest is None else now - oldest
            sample = BacklogSampled(now, workflow_id, group, ready, AT_MOST, waited)
            other = found.setdefault((workflow_id, group), sample)
            if other is not sample:
                both = [it for it in (waited, other.waited) if it is not None]
                other.ready, other.waited = other.ready + ready, max(both, default=None)
        for sample in found.values():
            emit(sample)
