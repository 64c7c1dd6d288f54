"""The sink and the tracer are under the suites that every sink and tracer is under."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from sayiir_core.ports.telemetry import ALL_EVENTS, Event, RunCreated, TelemetrySink, Tracer
from sayiir_otel.metrics import OtelMetrics
from sayiir_otel.tracer import OtelTracer
from sayiir_pytest.conformance.telemetry import (
    TelemetrySinkConformance,
    TracerConformance,
    sample_events,
)


class TestMetrics(TelemetrySinkConformance):
    """Count through OpenTelemetry."""

    def make_sink(self) -> TelemetrySink:
        """Return the sink on a provider that nobody reads."""
        return OtelMetrics(MeterProvider())


class TestTracer(TracerConformance):
    """Trace through OpenTelemetry."""

    def make_tracer(self) -> Tracer:
        """Return the tracer on a provider that nobody reads."""
        return OtelTracer(TracerProvider())


def test_the_samples_have_every_kind_of_event() -> None:
    """Or a sink could fail at one that the suite does not know."""
    assert {type(event) for event in sample_events()} == ALL_EVENTS


class Picky:
    """A sink that raises at what it does not know."""

    kinds = ALL_EVENTS

    def receive(self, events: Sequence[Event]) -> None:
        """Take the beginnings of runs alone."""
        if not all(isinstance(event, RunCreated) for event in events):
            raise TypeError("what is this?")

    def close(self) -> None:
        """Do nothing."""


def test_the_suite_finds_a_sink_that_raises_at_what_it_does_not_know() -> None:
    """It can fail."""
    suite = TelemetrySinkConformance()

    with pytest.raises(TypeError, match="what is this"):
        suite.test_it_takes_every_kind_of_event(Picky())
    with pytest.raises(AssertionError):
        suite.test_it_takes_events_on_a_thread_of_its_own(Picky())
