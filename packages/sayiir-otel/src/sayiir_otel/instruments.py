"""What this package has to offer to an application as it is set up now."""

from __future__ import annotations

import sys

from opentelemetry import metrics, trace

from sayiir_core.ports.telemetry import Instruments, TelemetrySink
from sayiir_otel.metrics import OtelMetrics
from sayiir_otel.tracer import OtelTracer


def otel_instruments() -> Instruments:
    """Return a tracer and a metrics sink, each only if a real global provider for it is set.

    So nothing is paid by an application that has none. Set the providers first (``init_tracing``
    does), then open the backend.
    """
    sinks: list[TelemetrySink] = []
    tracer: OtelTracer | None = None
    if is_real(trace.get_tracer_provider()):
        tracer = OtelTracer()
        sinks.append(tracer)
    if not is_real(metrics.get_meter_provider()):
        return Instruments(sinks=tuple(sinks), tracer=tracer)
    sinks.append(OtelMetrics())
    exposition = None
    if "opentelemetry.exporter.prometheus" in sys.modules:
        from sayiir_otel.exposition import expose

        exposition = expose
    return Instruments(sinks=tuple(sinks), tracer=tracer, exposition=exposition)


def is_real(provider: object) -> bool:
    """Tell whether a provider is more than one of the placeholders of the API itself."""
    return not type(provider).__module__.startswith(
        ("opentelemetry.trace", "opentelemetry.metrics")
    )
