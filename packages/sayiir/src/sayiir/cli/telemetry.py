"""Telemetry of a worker process, if the standard variables ask for it."""

from __future__ import annotations

import os
from typing import Final

from sayiir.cli.refusal import CommandError

SERVICE: Final = "sayiir-worker"

_ASKING: Final = (
    "OTEL_TRACES_EXPORTER",
    "OTEL_METRICS_EXPORTER",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)


def init_telemetry() -> None:
    """Set up exporters if a variable names one or where to send to.

    Raises ``CommandError`` if what it asks for is not installed: whoever asked would miss it.
    """
    asking = [name for name in _ASKING if os.environ.get(name)]
    if not asking:
        return
    try:
        from sayiir_otel import init_tracing

        init_tracing(SERVICE)
    except ModuleNotFoundError as error:
        raise CommandError(
            f"{asking[0]} is set, and nothing installed can export ({error.name} is missing); "
            f"install it with: pip install 'sayiir[otel]', or unset the variable"
        ) from error
    except ValueError as error:
        raise CommandError(str(error)) from error
