"""The plugin: what observes a backend that is opened by its URL."""

from __future__ import annotations

from sayiir_core.hookspecs import hookimpl
from sayiir_core.ports.telemetry import Instruments


@hookimpl
def sayiir_instruments() -> Instruments:
    """Return a tracer and metrics, as far as the application has set up providers for them."""
    from sayiir_otel.instruments import otel_instruments

    return otel_instruments()
