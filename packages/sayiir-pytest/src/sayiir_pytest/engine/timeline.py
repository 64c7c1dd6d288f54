"""The order of events in virtual time, for everything that one engine drives.

How this works: what can be done now is done until nothing more can. Then the clock moves to the
next event, whichever that is: the end or the timeout of a body, a delay, a back-off, a deadline.
How far it may move is for the caller to say, anew after each event. Where coroutines run, the script
yields instead, and whoever performs it lets them run until that instant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from sayiir_core.ids import InstanceId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.instances import InstanceQuery
from sayiir_core.snapshot.head import Cursor, CursorState, Head, InstanceState
from sayiir_core.workflow.definition import DefinitionIdentity
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.engine.errors import EngineStuckError
from sayiir_pytest.engine.host import Host
from sayiir_pytest.engine.worker import EngineWorker

FOREVER: Final = datetime.max.replace(tzinfo=UTC)
"""As far as there are events."""

Limit = Callable[[], datetime | None]
"""Says how far the clock may move now, None to stop."""

_LONGEST: Final = timedelta(days=366)

_BACKING_OFF: Final = {CursorState.READY, CursorState.SIGNALLED}
_ENDED: Final = {InstanceState.COMPLETED, InstanceState.FAILED, InstanceState.CANCELLED}


class Timeline:
    """Workers that share a clock."""

    def __init__(self, backend: Backend, clock: VirtualClock, host: Host) -> None:
        self._backend = backend
        self._clock = clock
        self._host = host
        self._workers: list[EngineWorker] = []
        self.identities: set[DefinitionIdentity] = set()

    def employ(self, worker: EngineWorker) -> None:
        """Let a worker take over; what the former ones run may end."""
        for former in self._workers:
            former.desk.drain()
        self._workers.append(worker)

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.close()
        self._workers.clear()

    def steps(self, limit: Limit) -> Iterator[datetime]:
        """Let things happen; yield until when coroutines shall run, unless one ends before."""
        while True:
            while self._turn():
                pass
            self._retire()
            goal = limit()
            if goal is None:
                if not self._host.has_tasks():
                    return
                # What coroutines do at this very instant, such as tidying up after a timeout.
                yield self._clock.now()
                if not self._turn():
                    return
                continue
            instant = min([goal, *self._events()])
            if self._host.has_tasks():
                yield from self._let_run(instant)
            elif instant == FOREVER:
                return
            else:
                self._clock.advance_to(max(instant, self._clock.now()))
            for worker in self._workers:
                worker.fire()

    def _let_run(self, instant: datetime) -> Iterator[datetime]:
        """Let coroutines run until an instant, or one ends; not for ever if nothing else will be."""
        until = min(instant, self._clock.now() + _LONGEST)
        yield until
        if until < instant and self._clock.now() >= until:
            paths = ", ".join(map(repr, self.running()))
            raise EngineStuckError(
                f"task {paths} has run for {_LONGEST.days} days of virtual time and does not end; "
                f"give the task a timeout=, or stub it"
            )

    def _turn(self) -> bool:
        return sum(worker.turn() for worker in self._workers) > 0

    def _events(self) -> list[datetime]:
        events = [worker.next_event() for worker in self._workers]
        return [event for event in events if event is not None]

    def _retire(self) -> None:
        for worker in self._workers[:-1]:
            if worker.is_idle:
                worker.close()
                self._workers.remove(worker)

    def running(self) -> list[str]:
        """Return the paths of the bodies that run."""
        return sorted(
            each.attempt.body.node.path for worker in self._workers for each in worker.running
        )

    # How far the clock may move.

    def until(self, instant: datetime) -> Limit:
        """Move to an instant."""
        return lambda: instant if self._clock.now() < instant else None

    def until_ended(self, instance_id: InstanceId) -> Limit:
        """Move on until an instance has ended, and no body of it runs any more."""

        def limit() -> datetime | None:
            head = self._backend.instances.load(instance_id)
            is_over = head.header.state in _ENDED and not head.executing
            return None if is_over else FOREVER

        return limit

    def until_parked(self) -> datetime | None:
        """Move on while a body runs or an instance backs off; delays and signals are not awaited."""
        if any(worker.running for worker in self._workers):
            return FOREVER
        now = self._clock.now()
        return min(
            (
                cursor.available_at
                for head in self._live()
                for cursor in head.cursors.values()
                if cursor.available_at is not None and _backs_off(cursor, now)
            ),
            default=None,
        )

    def _live(self) -> Iterator[Head]:
        after: str | None = None
        while True:
            page = self._backend.instances.select(
                InstanceQuery(state=InstanceState.RUNNING, after=after)
            )
            for header in page.headers:
                if header.identity in self.identities:
                    yield self._backend.instances.load(header.instance_id)
            after = page.next
            if after is None:
                return


def _backs_off(cursor: Cursor, now: datetime) -> bool:
    return (
        cursor.session is None
        and not cursor.held
        and cursor.state in _BACKING_OFF
        and cursor.available_at is not None
        and cursor.available_at > now
    )
