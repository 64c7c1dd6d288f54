"""The threads that look after what runs: timeouts, requests from outside, a blocked loop or pool.

How this works: one thread enforces timeouts and never touches the store, so that no slow call of
the store delays one. Another asks the store. It does not ask for a body that has just started, so
quick steps cost nothing. What runs longer than an interval is looked up now and then, many at a
time, so that a body whose instance was cancelled or replaced learns it through its context.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from time import monotonic
from typing import Final

from sayiir_core.errors import BackendError
from sayiir_core.ids import InstanceId, RunKey
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.instances import InstanceStore
from sayiir_core.snapshot.head import Header, InstanceState
from sayiir_runtime.worker.crew import Crew
from sayiir_runtime.worker.desk import Desk
from sayiir_runtime.worker.held import Held

logger = logging.getLogger("sayiir.worker")

SIGNAL_RETENTION: Final = timedelta(days=30)
_TICK_SECONDS: Final = 0.25
_LOOK_SECONDS: Final = 1.0
_SWEEP_SECONDS: Final = 600.0
_SWEEP_LIMIT: Final = 1000
_CHUNK: Final = 500


class Clerk:
    """Look after the bodies of one desk; ``after`` is called when bodies were timed out."""

    def __init__(
        self,
        desk: Desk,
        crew: Crew,
        backend: Backend,
        *,
        signal_retention: timedelta,
        after: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._crew = crew
        self._backend = backend
        self._retention = signal_retention
        self._after = after
        self._changed = threading.Condition()
        self._is_stopping = False
        self._is_called = False
        self._stopping = threading.Event()
        self._swept = monotonic()
        self._seen: set[Held] = set()

    def stop(self) -> None:
        """End soon."""
        self._stopping.set()
        with self._changed:
            self._is_stopping = True
            self._changed.notify()

    def expect(self, seconds: float) -> None:
        """Be there when a body that starts now must end, so many seconds later."""
        if seconds < _TICK_SECONDS:
            with self._changed:
                self._is_called = True
                self._changed.notify()

    def run(self) -> None:
        """Look after bodies until stopped."""
        while not self._is_stopping:
            try:
                self._turn()
            except Exception:
                logger.exception("looking after the running tasks failed, trying again")
            self._wait()

    def ask(self) -> None:
        """Ask the store about bodies, and tidy it, until stopped; on a thread of its own."""
        while not self._stopping.wait(_LOOK_SECONDS):
            try:
                self._tell_unwanted()
                self._sweep()
            except BackendError as error:
                logger.debug("the store cannot be asked, trying again: %s", error)
            except Exception:
                logger.exception("asking about the running tasks failed, trying again")

    def _wait(self) -> None:
        with self._changed:
            deadline = self._desk.next_deadline()
            seconds = _TICK_SECONDS if deadline is None else deadline - monotonic()
            if not self._is_stopping and not self._is_called and seconds > 0:
                self._changed.wait(min(seconds, _TICK_SECONDS))
            self._is_called = False

    def _turn(self) -> None:
        late = self._desk.overdue()
        if late:
            self._crew.abandon(late)
            self._after()
        self._crew.watch()

    def _sweep(self) -> None:
        moment = monotonic()
        if moment - self._swept > _SWEEP_SECONDS:
            self._swept = moment
            before = self._backend.now() - self._retention
            self._backend.signals.expire(received_before=before, limit=_SWEEP_LIMIT)

    def _tell_unwanted(self) -> None:
        """Tell the bodies that have run for a whole interval whether anybody wants them."""
        running = set(self._desk.running())
        old, self._seen = running & self._seen, running
        wanted = {}
        if old:
            ids = sorted({held.claim.lease.instance_id for held in old})
            wanted = _states(self._backend.instances, ids)
        for held in old:
            lease, attempt = held.claim.lease, held.attempt
            state = wanted.get(RunKey(lease.instance_id, lease.run_id))
            if attempt is not None and state in {None, InstanceState.CANCELLED}:
                attempt.give_up()


def _states(store: InstanceStore, ids: Sequence[InstanceId]) -> dict[RunKey, InstanceState]:
    headers: list[Header | None] = []
    for start in range(0, len(ids), _CHUNK):
        headers += store.headers(ids[start : start + _CHUNK])
    return {RunKey(h.instance_id, h.run_id): h.state for h in headers if h is not None}
