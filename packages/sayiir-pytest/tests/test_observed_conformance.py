"""A backend that is observed passes the whole conformance suite: observing changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sayiir_core.ports.backend import Backend
from sayiir_core.ports.clock import Clock
from sayiir_core.ports.telemetry import ALL_EVENTS, Event, RunPlace, TaskCall
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
from sayiir_runtime.telemetry import observed


class Broken:
    """A sink and a tracer that raise whatever they are asked."""

    kinds = ALL_EVENTS

    def receive(self, events: Sequence[Event]) -> None:
        """Fail."""
        raise RuntimeError(f"the collector is away, {len(events)} events are lost (by the test)")

    def close(self) -> None:
        """Fail."""
        raise RuntimeError("the collector is away (by the test)")

    def submit(self, runs: Sequence[RunPlace]) -> tuple[Any, str | None]:
        """Fail."""
        raise RuntimeError(f"no trace of {runs} (by the test)")

    def rest(self, run: RunPlace) -> None:
        """Fail."""
        raise RuntimeError(f"no rest of {run} (by the test)")

    def enter(self, call: TaskCall) -> Any:
        """Fail."""
        raise RuntimeError(f"no trace of {call} (by the test)")

    def leave(self, token: Any, error: BaseException | None) -> None:
        """Fail."""
        raise RuntimeError(f"no end of {token} with {error} (by the test)")


class Observed:
    """Say how to make an observed backend, with a sink that always fails."""

    def make_backend(self, clock: Clock, _location: Any) -> Backend:
        """Return a memory backend that tells everything to somebody broken."""
        broken = Broken()
        return observed(InMemoryBackend(clock=clock), broken, tracer=broken)


class TestInstances(Observed, InstanceConformance):
    """Create, read, list and remove runs."""


class TestDefinitions(Observed, DefinitionConformance):
    """Keep definitions."""


class TestCheckpoints(Observed, CheckpointConformance):
    """Write checkpoints."""


class TestClaims(Observed, ClaimConformance):
    """Hand out cursors."""


class TestOwnership(Observed, OwnershipConformance):
    """Give whole instances to runners."""


class TestSessions(Observed, SessionConformance):
    """Keep leases."""


class TestSignals(Observed, SignalConformance):
    """Send signals."""


class TestControl(Observed, ControlConformance):
    """Cancel, pause, unpause, retry."""


class TestResults(Observed, ResultConformance):
    """Read payloads and records."""


class TestBackend(Observed, BackendConformance):
    """Open, close and declare capabilities."""


class TestWakeup(Observed, WakeupConformance):
    """Give hints."""


class TestEquivalence(Observed, EquivalenceConformance):
    """Mean by a commit what the model means."""


class TestRaces(Observed, RaceConformance):
    """Decide between threads as in some serial order."""

    seconds = timedelta(seconds=1)
