"""Traces and metrics of workflows, through the OpenTelemetry API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sayiir_otel.instruments import otel_instruments
    from sayiir_otel.metrics import OtelMetrics
    from sayiir_otel.providers import init_tracing, shutdown_tracing
    from sayiir_otel.tracer import OtelTracer

__all__ = ["OtelMetrics", "OtelTracer", "init_tracing", "otel_instruments", "shutdown_tracing"]

_HOMES: Final = {
    "OtelMetrics": "metrics",
    "OtelTracer": "tracer",
    "init_tracing": "providers",
    "otel_instruments": "instruments",
    "shutdown_tracing": "providers",
}


def __getattr__(name: str) -> Any:
    # The plugin next door is loaded with every backend; that must not load the API.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{home}"), name)
