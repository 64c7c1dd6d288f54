"""Seeing what happens: a backend that tells events, and the way from them to sinks."""

from __future__ import annotations

from sayiir_runtime.telemetry.observed import ObservedBackend, observed
from sayiir_runtime.telemetry.outlet import Outlet, OutletReport

__all__ = ["ObservedBackend", "Outlet", "OutletReport", "observed"]
