"""The memory backend as a whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sayiir_core.ports.backend import Capabilities
from sayiir_core.ports.clock import Clock
from sayiir_runtime.memory.checkpoints import MemoryCheckpoints
from sayiir_runtime.memory.claims import MemoryClaims
from sayiir_runtime.memory.clock import SystemClock
from sayiir_runtime.memory.control import MemoryControl
from sayiir_runtime.memory.definitions import MemoryDefinitions
from sayiir_runtime.memory.instances import MemoryInstances
from sayiir_runtime.memory.ownership import MemoryOwnership
from sayiir_runtime.memory.results import MemoryResults
from sayiir_runtime.memory.sessions import MemorySessions
from sayiir_runtime.memory.signals import MemorySignals
from sayiir_runtime.memory.store import Store
from sayiir_runtime.memory.wakeup import MemoryWakeup

DEFAULT_AGING_INTERVAL: Final = timedelta(seconds=300)


class InMemoryBackend:
    """Keep everything in this process; what it holds ends with the object.

    ``clock`` is the store's clock, by default the system's. ``aging_interval`` is how much
    waiting one step of priority is worth.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        aging_interval: timedelta = DEFAULT_AGING_INTERVAL,
    ) -> None:
        self.epoch = 0
        clock = clock or SystemClock()
        store = self._store = Store(clock, aging_interval)
        self.now: Final[Callable[[], datetime]] = clock.now
        self.capabilities = Capabilities(durable=False, shared=False, never_blocks=True)
        self.instances = MemoryInstances(store)
        self.definitions = MemoryDefinitions(store)
        self.checkpoints = MemoryCheckpoints(store)
        self.claims = MemoryClaims(store)
        self.ownership = MemoryOwnership(store)
        self.sessions = MemorySessions(store)
        self.signals = MemorySignals(store)
        self.control = MemoryControl(store)
        self.results = MemoryResults(store)
        self.wakeup = MemoryWakeup(store.hints)

    def open(self) -> None:
        """Do nothing: there is nothing to connect to."""

    def close(self) -> None:
        """End all sessions; what is stored stays readable."""
        self.epoch += 1
        with self._store.turn:
            for session_id in self._store.sessions:
                self._store.end_session(session_id)
