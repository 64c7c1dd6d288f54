"""What every conformance class stands on: two hooks for the author of a store, and the rig."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from sayiir_core.ports.backend import Backend, Capabilities
from sayiir_core.ports.clock import Clock
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.rig import Rig


class Conformance:
    """The hooks. Override ``make_backend``, and ``location`` for a store that has a place.

    ``aging_interval`` is the one that the backend under test was built with. ``proves_death``:
    the store finds out at once that a process of this host is gone. ``payload_limit`` is the
    number of bytes above which it refuses a payload, None if there is none worth testing.
    """

    aging_interval: timedelta = timedelta(seconds=300)
    proves_death: bool = False
    payload_limit: int | None = None

    @pytest.fixture
    def location(self) -> Any:
        """Return an empty place for one test, whatever that is to this store."""
        return None

    def make_backend(self, clock: Clock, location: Any) -> Backend:
        """Return a backend, not yet opened, that tells the time by this clock.

        Called again with the same location it returns one more backend on the same data.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define make_backend(self, clock, location)"
        )

    @pytest.fixture
    def clock(self) -> VirtualClock:
        """Return the clock of the test."""
        return VirtualClock()

    @pytest.fixture
    def rig(self, clock: VirtualClock, location: Any) -> Iterator[Rig]:
        """Return the store under test with what is needed around it."""
        rig = Rig(
            lambda: self.make_backend(clock, location), clock, payload_limit=self.payload_limit
        )
        yield rig
        rig.close()


def require_durable(capabilities: Capabilities) -> None:
    """Skip the test unless the store declares that its data survives."""
    if not capabilities.durable:
        pytest.skip("the store does not declare the capability durable")


def require_shared(capabilities: Capabilities) -> None:
    """Skip the test unless the store declares that several processes may open it."""
    if not capabilities.shared:
        pytest.skip("the store does not declare the capability shared")
