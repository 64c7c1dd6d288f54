"""Whether a worker is well, and a port on which others can ask."""

from __future__ import annotations

from sayiir_runtime.health.checkup import Checkup, check
from sayiir_runtime.health.server import HealthServer

__all__ = ["Checkup", "HealthServer", "check"]
