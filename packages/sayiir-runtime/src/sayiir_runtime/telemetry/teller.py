"""Making a call of a store, and telling how long it took or what it raised."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from sayiir_core.errors import BackendError
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.telemetry import StoreFailed
from sayiir_runtime.telemetry.outlet import Outlet
from sayiir_runtime.telemetry.scribe import Rest, Scribe

logger = logging.getLogger("sayiir.telemetry")

T = TypeVar("T")


class Teller:
    """What the ports of one observed backend share."""

    def __init__(self, backend: Backend, outlet: Outlet, rest: Rest) -> None:
        self.emit = outlet.emit
        self.scribe = Scribe(backend, outlet.emit, rest)
        self._backend = backend

    def now(self) -> datetime:
        """Return the store's clock."""
        return self._backend.now()

    def tell(self, write: Callable[[], None]) -> None:
        """Tell what follows from an answer; a defect here must not cost the caller the answer."""
        try:
            write()
        except Exception:
            logger.exception("an event could not be told")

    def timed(self, call: str, work: Callable[[], T]) -> tuple[T, timedelta]:
        """Make a call of a store (``port.method``); return its answer and how long it took."""
        began = time.perf_counter()
        try:
            answer = work()
        except BackendError as error:
            self.emit(StoreFailed(self.now(), call, type(error).__name__, error.transient))
            raise
        return answer, timedelta(seconds=time.perf_counter() - began)
