"""A backend that tells what is asked of it and what it answers.

How this works: it stands in front of another backend and passes every call on. A backend that nobody
observes is not wrapped, so telemetry that is not there costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from sayiir_core.ports.backend import Backend, Capabilities
from sayiir_core.ports.results import ResultStore
from sayiir_core.ports.telemetry import Instruments, TelemetrySink, Tracer
from sayiir_core.ports.wakeup import Wakeup
from sayiir_runtime.telemetry.instrument import Instrument
from sayiir_runtime.telemetry.outlet import Outlet
from sayiir_runtime.telemetry.ports import (
    ObservedCheckpoints,
    ObservedClaims,
    ObservedControl,
    ObservedDefinitions,
    ObservedInstances,
    ObservedOwnership,
    ObservedSessions,
    ObservedSignals,
)
from sayiir_runtime.telemetry.teller import Teller

Exposition = Callable[[str], tuple[str, bytes]]
"""What answers a scrape: from an ``Accept`` header to a content type and a body."""


class ObservedBackend:
    """A backend in front of ``plain``, whose events go to ``outlet``."""

    def __init__(
        self,
        plain: Backend,
        outlet: Outlet,
        tracer: Tracer | None = None,
        exposition: Exposition | None = None,
    ) -> None:
        self.plain = plain
        self.outlet = outlet
        self.exposition = exposition
        self.instrument = Instrument(outlet, tracer, plain.now)
        teller = Teller(plain, outlet, self.instrument.rest)
        self.instances = ObservedInstances(plain.instances, teller, self.instrument)
        self.definitions = ObservedDefinitions(plain.definitions, teller)
        self.checkpoints = ObservedCheckpoints(plain.checkpoints, teller)
        self.claims = ObservedClaims(plain.claims, teller)
        self.ownership = ObservedOwnership(plain.ownership, teller)
        self.sessions = ObservedSessions(plain.sessions, teller)
        self.signals = ObservedSignals(plain.signals, teller)
        self.control = ObservedControl(plain.control, teller)

    @property
    def capabilities(self) -> Capabilities:
        """Return what the store can do."""
        return self.plain.capabilities

    @property
    def results(self) -> ResultStore:
        """Read payloads and records."""
        return self.plain.results

    @property
    def wakeup(self) -> Wakeup | None:
        """Hint at new work."""
        return self.plain.wakeup

    @property
    def epoch(self) -> int:
        """Return a number that grows with each ``close``."""
        return self.plain.epoch

    def now(self) -> datetime:
        """Return the store's clock."""
        return self.plain.now()

    def open(self) -> None:
        """Connect."""
        self.plain.open()

    def close(self) -> None:
        """Close the store, and pass on what was told of it."""
        # What is still to be told may have to be looked up there.
        self.outlet.settle()
        self.plain.close()
        self.outlet.flush()

    def __repr__(self) -> str:
        return f"observed({self.plain!r})"


def observed(
    backend: Backend, *sinks: TelemetrySink, tracer: Tracer | None = None
) -> ObservedBackend:
    """Return a backend that does what this one does and tells ``sinks`` and ``tracer`` of it."""
    return ObservedBackend(backend, Outlet(sinks), tracer)


def with_instruments(backend: Backend, found: Iterable[Instruments]) -> Backend:
    """Return the backend, observed by what plugins have added, or as it is if none has."""
    instruments = tuple(found)
    sinks = tuple(sink for each in instruments for sink in each.sinks)
    tracer = next((each.tracer for each in instruments if each.tracer is not None), None)
    pages = (each.exposition for each in instruments if each.exposition is not None)
    exposition = next(pages, None)
    if not sinks and tracer is None and exposition is None:
        return backend
    return ObservedBackend(backend, Outlet(sinks), tracer, exposition)


def exposition_of(backend: Backend) -> Exposition | None:
    """Return what answers a scrape of a process that works on a backend, None if nothing does."""
    return backend.exposition if isinstance(backend, ObservedBackend) else None
