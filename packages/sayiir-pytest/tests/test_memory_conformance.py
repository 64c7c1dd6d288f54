"""The memory backend passes the whole conformance suite."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sayiir_core.ports.backend import Backend
from sayiir_core.ports.clock import Clock
from sayiir_pytest.conformance import (
    BackendConformance,
    CheckpointConformance,
    ClaimConformance,
    ControlConformance,
    DefinitionConformance,
    EquivalenceConformance,
    InstanceConformance,
    OwnershipConformance,
    RaceConformance,
    ResultConformance,
    SessionConformance,
    SignalConformance,
    WakeupConformance,
)
from sayiir_runtime.memory import InMemoryBackend


class Memory:
    """Say how to make a memory backend."""

    def make_backend(self, clock: Clock, _location: Any) -> Backend:
        """Return a backend in memory, which has no place."""
        return InMemoryBackend(clock=clock)


class TestInstances(Memory, InstanceConformance):
    """Create, read, list and remove runs."""


class TestDefinitions(Memory, DefinitionConformance):
    """Keep definitions."""


class TestCheckpoints(Memory, CheckpointConformance):
    """Write checkpoints."""


class TestClaims(Memory, ClaimConformance):
    """Hand out cursors."""


class TestOwnership(Memory, OwnershipConformance):
    """Give whole instances to runners."""


class TestSessions(Memory, SessionConformance):
    """Keep leases."""


class TestSignals(Memory, SignalConformance):
    """Deliver signals."""


class TestControl(Memory, ControlConformance):
    """Obey requests."""


class TestResults(Memory, ResultConformance):
    """Read what was recorded."""


class TestBackend(Memory, BackendConformance):
    """Open, close and tell the time."""


class TestEquivalence(Memory, EquivalenceConformance):
    """Equal the model."""


class TestRaces(Memory, RaceConformance):
    """Keep to it with many threads."""


class TestWakeup(Memory, WakeupConformance):
    """Hint at new work."""

    hint_quiet = timedelta(0)
