"""Making a call of a store, and telling how long it took or what it raised.

How this works: what a commit tells is worked out later, on the thread of a sink. Only what must be known at
once is seen to here: that a run rests, what was claimed with it, and which failure is the first.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sayiir_core.errors import BackendError
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.telemetry import RunPlace, StoreFailed
from sayiir_core.snapshot.answer import COMMITTED, Answer, Claim, Committed
from sayiir_core.snapshot.effect import Checkpoint, Fail, Lease, Move
from sayiir_runtime.telemetry.outlet import Outlet
from sayiir_runtime.telemetry.scribe import GOES_ON, WRITTEN, Scribe

logger = logging.getLogger("sayiir.telemetry")

T = TypeVar("T")
Rest = Callable[[RunPlace], None]


class Teller:
    """What the ports of one observed backend share."""

    def __init__(self, backend: Backend, outlet: Outlet, rest: Rest) -> None:
        self.emit = outlet.emit
        self.scribe = Scribe(backend)
        self._outlet = outlet
        self._rest = rest
        self._is_heard = any(map(outlet.wants, WRITTEN))
        self._backend = backend

    def now(self) -> datetime:
        """Return the store's clock."""
        return self._backend.now()

    def tell(self, write: Callable[..., None], *facts: Any) -> None:
        """Tell what follows from an answer; a defect here must not cost the caller the answer."""
        try:
            write(*facts)
        except Exception:
            logger.exception("an event could not be told")

    def claimed(self, claims: Iterable[Claim], now: datetime) -> None:
        """Tell what a session has taken; at once, as whoever got the cursors moves them on."""
        for event in self.scribe.claimed(claims, now):
            self.emit(event)

    def released(self, leases: Iterable[Lease]) -> None:
        """Tell what a session has given back."""
        leases, now = tuple(leases), self.now()
        for event in self.scribe.released(leases, now):
            self.emit(event)
        for lease in leases:
            self._rest(self.scribe.book.place(lease.instance_id, lease.run_id))

    def committed(
        self, batch: Sequence[Checkpoint], answers: Sequence[Answer], seconds: float
    ) -> None:
        """Tell what a batch, which took so long, has changed, and what it has not."""
        now = self.now()
        # Nearly every step just goes on, and pays for no more than finding that out.
        unusual = [
            position
            for position, (checkpoint, answer) in enumerate(zip(batch, answers, strict=True))
            if answer is not COMMITTED
            or type(checkpoint.effects[-1]) is not Move
            or not checkpoint.keep
        ]
        if self._is_heard:
            repeated = [at for at in unusual if self._fails_again(batch[at], answers[at])]
            self._outlet.later(
                self.scribe.committed, tuple(batch), tuple(answers), now, seconds, repeated
            )
        for position in unusual:
            checkpoint, answer = batch[position], answers[position]
            if isinstance(answer, Committed) and answer.claims and not answer.replayed:
                self.claimed(answer.claims, now)
            goes_on = isinstance(answer, Committed) and not answer.held and checkpoint.keep
            if not goes_on or not isinstance(checkpoint.effects[-1], GOES_ON):
                lease = checkpoint.lease
                self._rest(self.scribe.book.place(lease.instance_id, lease.run_id))

    def _fails_again(self, checkpoint: Checkpoint, answer: Answer) -> bool:
        """Tell whether a run fails that a sibling had failed before."""
        last = checkpoint.effects[-1]
        if not isinstance(last, Fail) or not isinstance(answer, Committed):
            return False
        return not self._is_first_failure(checkpoint.lease, last)

    def _is_first_failure(self, lease: Lease, fail: Fail) -> bool:
        try:
            (header,) = self._backend.instances.headers([lease.instance_id])
        except BackendError:
            return True
        return header is not None and header.error == fail.error

    def timed(self, call: str, work: Callable[[], T]) -> tuple[T, timedelta]:
        """Make a call of a store (``port.method``); return its answer and how long it took."""
        began = time.perf_counter()
        try:
            answer = work()
        except BackendError as error:
            self.failed(call, error)
            raise
        return answer, timedelta(seconds=time.perf_counter() - began)

    def failed(self, call: str, error: BackendError) -> None:
        """Tell that a call of a store (``port.method``) has raised."""
        self.emit(StoreFailed(self.now(), call, type(error).__name__, error.transient))
