"""Whether a backend is observed, asked without loading what observes: most programs have nobody who looks."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from sayiir_core.ports.backend import Backend

if TYPE_CHECKING:
    from sayiir_runtime.telemetry.instrument import Instrument

_OBSERVED: Final = "sayiir_runtime.telemetry.observed"


def instrument_of(backend: Backend) -> Instrument | None:
    """Return what observes the bodies of a backend's runs, None if nothing does."""
    if _OBSERVED not in sys.modules:
        # Nothing can have been put in front of it.
        return None
    from sayiir_runtime.telemetry.observed import ObservedBackend

    return backend.instrument if isinstance(backend, ObservedBackend) else None
