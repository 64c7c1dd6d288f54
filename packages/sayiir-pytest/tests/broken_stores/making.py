"""How a broken store is made: a memory backend, and one port of it put wrong."""

from __future__ import annotations

from typing import Any

from hypothesis import Phase, settings

from sayiir_core.ports.backend import Backend
from sayiir_core.ports.clock import Clock
from sayiir_pytest.conformance import Conformance
from sayiir_runtime.memory import InMemoryBackend

# One failing example is enough, however long it is.
settings.register_profile(
    "broken", phases=[Phase.generate], report_multiple_bugs=False, derandomize=True, database=None
)
settings.load_profile("broken")


class Broken(Conformance):
    """Make a memory backend and put a broken port into it."""

    port = ""
    broken: type = object

    def make_backend(self, clock: Clock, _location: Any) -> Backend:
        """Return a backend with one bug."""
        backend = InMemoryBackend(clock=clock)
        setattr(backend, self.port, self.broken(backend._store))
        return backend
