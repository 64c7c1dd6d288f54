"""The instruments of the table, each made once by the application's meter provider."""

from __future__ import annotations

from typing import Any

from opentelemetry import metrics

from sayiir_otel import attribute
from sayiir_otel.catalogue import METRICS, Kind, Metric
from sayiir_otel.label import Labels


class Meter:
    """Write values of metrics with their labels, given in the order of the table."""

    def __init__(self, provider: metrics.MeterProvider | None = None) -> None:
        chosen = metrics.get_meter_provider() if provider is None else provider
        meter = chosen.get_meter(attribute.SCOPE, attribute.VERSION)
        self._instruments = {metric: _make(meter, metric) for metric in METRICS}
        # Names of users are bounded by their budget, and so is this.
        self._attributes: dict[tuple[Metric, Labels], dict[str, str]] = {}

    def add(self, metric: Metric, number: int, labels: Labels = ()) -> None:
        """Add to a counter."""
        self._instruments[metric].add(number, self._of(metric, labels))

    def record(self, metric: Metric, value: float, labels: Labels = ()) -> None:
        """Record a value of a histogram."""
        self._instruments[metric].record(value, self._of(metric, labels))

    def set(self, metric: Metric, value: float, labels: Labels = ()) -> None:
        """Set a gauge."""
        self._instruments[metric].set(value, self._of(metric, labels))

    def _of(self, metric: Metric, labels: Labels) -> dict[str, str]:
        found = self._attributes.get((metric, labels))
        if found is None:
            found = dict(zip(metric.labels, labels, strict=True))
            self._attributes[metric, labels] = found
        return found


def _make(meter: metrics.Meter, metric: Metric) -> Any:
    match metric.kind:
        case Kind.COUNTER:
            return meter.create_counter(metric.name, metric.unit, metric.meaning)
        case Kind.HISTOGRAM:
            return meter.create_histogram(
                metric.name,
                metric.unit,
                metric.meaning,
                explicit_bucket_boundaries_advisory=metric.buckets,
            )
        case Kind.GAUGE:
            return meter.create_gauge(metric.name, metric.unit, metric.meaning)
