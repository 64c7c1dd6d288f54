"""Seeing what happens: a backend that tells events, and the way from them to sinks."""

from __future__ import annotations

from sayiir_runtime.telemetry.observed import ObservedBackend, observed, with_instruments
from sayiir_runtime.telemetry.outlet import Outlet, OutletReport

__all__ = ["ObservedBackend", "Outlet", "OutletReport", "observed", "with_instruments"]
