"""The plugin: what observes a backend that is opened by its URL."""

from __future__ import annotations

import os
import sys
from typing import Final

from sayiir_core.hookspecs import hookimpl
from sayiir_core.ports.telemetry import Instruments

_PROVIDERS: Final = ("OTEL_PYTHON_TRACER_PROVIDER", "OTEL_PYTHON_METER_PROVIDER")


@hookimpl
def sayiir_instruments() -> Instruments:
    """Return a tracer and metrics, as far as the application has set up providers for them."""
    # Who has not even loaded the API has set none, and shall not pay for loading it.
    if "opentelemetry" not in sys.modules and not any(map(os.environ.get, _PROVIDERS)):
        return Instruments()
    from sayiir_otel.instruments import otel_instruments

    return otel_instruments()
