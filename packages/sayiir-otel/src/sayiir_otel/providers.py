"""Set up what an application without telemetry of its own needs: providers, by standard variables.

How this works: the variables ``OTEL_*`` of the OpenTelemetry specification say everything; the SDK reads
most of them itself, and what is left is which exporters there shall be. A provider that the application
has set stays, and nothing is added to it.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from sayiir_otel.instruments import is_real
from sayiir_otel.lean_provider import LeanProvider
from sayiir_otel.segment import close_segments

_PROTOCOLS: Final = {"grpc": "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}
_EXTRAS: Final = {
    "otlp_proto_grpc": "sayiir-otel[grpc]",
    "otlp_proto_http": "sayiir-otel[sdk]",
    "prometheus": "sayiir-otel[prometheus]",
}
_OWN_SERVER: Final = ("OTEL_EXPORTER_PROMETHEUS_HOST", "OTEL_EXPORTER_PROMETHEUS_PORT")
"""Variables that ask for a server of the exporter's own, where no worker has a health port."""

_lock: Final = threading.Lock()
_stopped: Final[weakref.WeakSet[TracerProvider | MeterProvider]] = weakref.WeakSet()


def init_tracing(service_name: str | None = None) -> None:
    """Send traces and metrics where the standard variables say; repeatable.

    ``OTEL_TRACES_EXPORTER`` and ``OTEL_METRICS_EXPORTER`` name exporters (``otlp`` if they are not
    set, ``none``, ``console``, for metrics also ``prometheus``), ``OTEL_EXPORTER_OTLP_ENDPOINT`` and
    ``OTEL_EXPORTER_OTLP_PROTOCOL`` (``http/protobuf`` or ``grpc``) where to. With ``prometheus`` the
    health port of a worker answers scrapes; where ``OTEL_EXPORTER_PROMETHEUS_PORT`` is set, a
    server of its own does, too. ``service_name`` is used where ``OTEL_SERVICE_NAME`` does not say. Call it before the backend is opened. Nothing
    happens under ``OTEL_SDK_DISABLED=true``, nor to a provider that is set already. Raises
    ``ValueError`` for an exporter that nobody has installed, and names what to install.
    """
    if _variable("OTEL_SDK_DISABLED").lower() == "true":
        return
    with _lock:
        resource = _resource(service_name)
        if not is_real(trace.get_tracer_provider()):
            _set_tracer_provider(resource)
        if not is_real(metrics.get_meter_provider()):
            _set_meter_provider(resource)


def shutdown_tracing() -> None:
    """Export what has not been exported yet, and stop; repeatable, and nothing is recorded after it.

    For the end of a program, after its backends are closed; without it the providers do the same
    when Python exits.
    """
    close_segments()
    for provider in (trace.get_tracer_provider(), metrics.get_meter_provider()):
        if isinstance(provider, TracerProvider | MeterProvider) and provider not in _stopped:
            _stopped.add(provider)
            provider.force_flush()
            provider.shutdown()


def _set_tracer_provider(resource: Resource) -> None:
    exporters = [found() for found in _exporters("TRACES")]
    if not exporters:
        return
    trace.set_tracer_provider(LeanProvider(resource, exporters))


def _set_meter_provider(resource: Resource) -> None:
    readers = [_reader(found()) for found in _exporters("METRICS")]
    if readers:
        metrics.set_meter_provider(MeterProvider(metric_readers=readers, resource=resource))


def _reader(exporter: Any) -> MetricReader:
    return (
        exporter if isinstance(exporter, MetricReader) else PeriodicExportingMetricReader(exporter)
    )


def _resource(service_name: str | None) -> Resource:
    said = "service.name=" in _variable("OTEL_RESOURCE_ATTRIBUTES")
    if service_name is None or said or _variable("OTEL_SERVICE_NAME"):
        return Resource.create()
    return Resource.create({"service.name": service_name})


def _exporters(signal: str) -> Iterator[Any]:
    """Yield the classes that the variables name, found by the entry points of the SDK."""
    group = f"opentelemetry_{signal.lower()}_exporter"
    names = _variable(f"OTEL_{signal}_EXPORTER") or "otlp"
    for name in dict.fromkeys(part.strip() for part in names.split(",")):
        if name in {"", "none"}:
            continue
        if name == "prometheus" and signal == "METRICS" and not any(map(_variable, _OWN_SERVER)):
            yield _scraped_reader()
            continue
        wanted = _by_protocol(signal) if name == "otlp" else name
        found: list[EntryPoint] = list(entry_points(group=group, name=wanted))
        if not found:
            raise ValueError(_missing(signal, name, wanted))
        try:
            yield found[0].load()
        except ModuleNotFoundError as error:
            raise ValueError(_missing(signal, name, wanted)) from error


def _scraped_reader() -> Any:
    """Return the reader whose metrics the health port of a worker shows, without another server."""
    try:
        from opentelemetry.exporter.prometheus import PrometheusMetricReader
    except ModuleNotFoundError as error:
        raise ValueError(_missing("METRICS", "prometheus", "prometheus")) from error
    return PrometheusMetricReader


def _by_protocol(signal: str) -> str:
    protocol = (
        _variable(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL")
        or _variable("OTEL_EXPORTER_OTLP_PROTOCOL")
        or "http/protobuf"
    )
    try:
        return _PROTOCOLS[protocol]
    except KeyError:
        raise ValueError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}; known are {' and '.join(_PROTOCOLS)}"
        ) from None


def _missing(signal: str, name: str, wanted: str) -> str:
    extra = _EXTRAS.get(wanted)
    remedy = f"pip install '{extra}'" if extra else "install it, or name 'otlp' or 'none'"
    return f"OTEL_{signal}_EXPORTER asks for {name!r}, and nothing installed has it: {remedy}"


def _variable(name: str) -> str:
    return os.environ.get(name, "").strip()
