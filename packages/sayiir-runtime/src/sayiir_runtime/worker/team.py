"""The threads of one started worker, and their orderly end.

How this works: six threads share one desk. The claimer fills it, the crew's threads and loop run
bodies, two committers empty it, the clerk looks after what runs. None of them waits for another
except through the desk, and none calls user code but the crew. The thread that claims also ends
the worker: it lets what runs end, gives the rest back, and ends the session.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import timedelta
from random import Random
from time import monotonic
from typing import TYPE_CHECKING, Final

from sayiir_core.ids import SessionId
from sayiir_core.ports.backend import Backend
from sayiir_runtime.runner.lease import SessionKeeper
from sayiir_runtime.telemetry.observed import ObservedBackend, exposition_of
from sayiir_runtime.telemetry.sampler import Sampler
from sayiir_runtime.worker.claimer import Claimer
from sayiir_runtime.worker.clerk import Clerk
from sayiir_runtime.worker.committer import LEAST_BESIDE, Committer
from sayiir_runtime.worker.crew import Crew
from sayiir_runtime.worker.desk import Desk
from sayiir_runtime.worker.handle import WorkerReport
from sayiir_runtime.worker.outage import Outage
from sayiir_runtime.worker.script import perform

if TYPE_CHECKING:
    from sayiir_runtime.health import HealthServer

logger = logging.getLogger("sayiir.worker")

Place = tuple[str, int]
"""Host and port."""

_SETTLE_SECONDS: Final = 5.0
_STEP_SECONDS: Final = 0.02


class Team:
    """One worker at work."""

    def __init__(
        self,
        worker_id: str,
        backend: Backend,
        desk: Desk,
        *,
        ttl: timedelta,
        heartbeat: timedelta,
        poll: timedelta | None,
        grace: float,
        signal_retention: timedelta,
        health: Place | None = None,
    ) -> None:
        self.worker_id = worker_id
        self._backend = backend
        self._desk = desk
        self._keeper = SessionKeeper(
            backend,
            worker_id=worker_id,
            ttl=ttl,
            heartbeat=heartbeat,
            lanes=tuple(sorted(desk.serving.lanes)),
            on_lost=self._lose_session,
        )
        self._grace = grace
        self._until: float | None = None
        self._ended_sessions: deque[SessionId] = deque(maxlen=16)
        self._lock = threading.Lock()
        random = Random()  # noqa: S311 - only spreads retries
        self._outage = Outage(desk.counts, worker_id, random)
        self._committers = [self._make_committer(least) for least in (1, LEAST_BESIDE)]
        self._crew = Crew(
            desk, backend.results, self._wake_committers, self._expect_end, worker_id=worker_id
        )
        self._claimer = self._make_claimer(random, poll)
        self._clerk = Clerk(
            desk, self._crew, backend, signal_retention=signal_retention, after=self._look_again
        )
        self._sampler = self._make_sampler()
        self._server = None if health is None else self._make_server(health)
        self._threads = [self._thread(name, run) for name, run in self._runs()]

    def _make_committer(self, least: int) -> Committer:
        return Committer(
            self._desk,
            self._backend.checkpoints,
            self._outage,
            after=self._look_again,
            session_lost=self._lose_session,
            least=least,
        )

    def _make_claimer(self, random: Random, poll: timedelta | None) -> Claimer:
        return Claimer(
            self._desk,
            self._backend,
            self._keeper,
            self._outage,
            random,
            poll=poll,
            admitted=self._start_bodies,
            settled=self._wake_committers,
            session_lost=self._lose_session,
        )

    def _make_sampler(self) -> Sampler | None:
        if not isinstance(self._backend, ObservedBackend):
            return None
        return Sampler(
            self._backend,
            self.worker_id,
            self._desk.serving.lanes,
            concurrency=self._desk.concurrency,
            look=self._busy,
        )

    def _make_server(self, place: Place) -> HealthServer:
        from sayiir_runtime.health import HealthServer, check

        exposition = exposition_of(self._backend)
        host, port = place
        return HealthServer(lambda: check(self.report()), exposition, host=host, port=port)

    def _runs(self) -> Iterable[tuple[str, Callable[[], None]]]:
        yield "claim", self._serve
        for number, committer in enumerate(self._committers, start=1):
            yield f"commit-{number}", committer.run
        yield "clerk", self._clerk.run
        yield "ask", self._clerk.ask
        if self._sampler is not None:
            yield "sample", self._sampler.run

    def _thread(self, name: str, run: Callable[[], None]) -> threading.Thread:
        return threading.Thread(target=run, name=f"sayiir-{self.worker_id}-{name}", daemon=True)

    def start(self) -> None:
        """Start the threads.

        Raises ``RuntimeError`` if there are none to be had, as when the interpreter shuts down.
        """
        try:
            # The one that claims comes last: without the others it would keep work from everybody.
            for thread in reversed(self._threads):
                thread.start()
        except RuntimeError:
            self._stop_committers()
            self._clerk.stop()
            self._end_looks()
            raise
        _teams.add(self)
        if self._server is not None:
            self._server.start()

    @property
    def health_address(self) -> tuple[str, int] | None:
        """Return host and port of the probes, None without them."""
        return None if self._server is None else self._server.address

    @property
    def is_alive(self) -> bool:
        """Tell whether the worker has not ended yet."""
        return self._threads[0].is_alive()

    def join(self, timeout: float | None) -> bool:
        """Wait for the end."""
        self._threads[0].join(timeout)
        return not self.is_alive

    def drain(self, grace: float | None) -> None:
        """Claim and start nothing more, and end when nothing runs or the grace is over."""
        with self._lock:
            until = monotonic() + (self._grace if grace is None else grace)
            self._until = until if self._until is None else min(self._until, until)
        self._desk.drain()
        self._claimer.stop()

    def report(self) -> WorkerReport:
        """Return what the worker does at this moment."""
        running = [held.body.node.path for held in self._desk.running() if held.body is not None]
        return WorkerReport(
            worker_id=self.worker_id,
            session=self._keeper.current,
            is_draining=self._desk.is_draining,
            held=len(self._desk.leases()),
            running=sorted(running),
            abandoned=self._crew.abandoned,
            trouble=self._outage.trouble,
            hints=self._claimer.deafness,
            counts=asdict(self._desk.counts),
            concurrency=self._desk.concurrency,
            lease=self._keeper.ttl,
            heartbeat_age=self._keeper.silence,
            loop_lag=self._crew.loop_lag,
            ended_threads=[it.name for it in self._threads if not it.is_alive()],
        )

    def _busy(self) -> tuple[int, bool]:
        """Return how many bodies run, and whether hints tell of new work."""
        subscription = self._claimer.subscription
        is_told = subscription is not None and subscription.trouble is None
        return len(self._desk.running()), is_told

    # What the threads tell each other.

    def _wake_committers(self) -> None:
        for committer in self._committers:
            committer.wake()

    def _stop_committers(self) -> None:
        for committer in self._committers:
            committer.stop()

    def _start_bodies(self) -> None:
        self._crew.wake()
        self._wake_committers()

    def _expect_end(self, seconds: float) -> None:
        self._clerk.expect(seconds)

    def _look_again(self) -> None:
        self._crew.wake()
        self._wake_committers()
        if self._desk.quota():
            self._claimer.wake()

    def _lose_session(self, session: SessionId) -> None:
        """Forget what an ended session held; the next claim registers a new one."""
        self._keeper.lost(session)
        self._crew.abandon(self._desk.forget(session))
        with self._lock:
            if session in self._ended_sessions:
                return
            self._ended_sessions.append(session)
        logger.warning(
            "worker %s: its session %s was ended by others, who take over what it ran; it goes on "
            "with a new one",
            self.worker_id,
            session,
        )

    # The end.

    def _serve(self) -> None:
        try:
            self._claimer.run()
        except Exception:
            logger.exception("worker %s ends because of a defect", self.worker_id)
            self.drain(0.0)
        finally:
            self._end()

    def _end(self) -> None:
        try:
            self._wait_for_bodies()
            self._crew.abandon(self._desk.abandon_running())
            self._settle()
        except Exception:
            logger.exception("worker %s could not end in good order", self.worker_id)
        finally:
            # Whatever happened: a session that goes on beating would keep its work from others.
            self._stop_committers()
            self._clerk.stop()
            self._crew.close()
            self._keeper.close()
            self._end_looks()
            for thread in self._threads[1:]:
                # Whoever waits for the worker may close the store next.
                thread.join(_SETTLE_SECONDS)
            _teams.discard(self)

    def _end_looks(self) -> None:
        if self._sampler is not None:
            self._sampler.stop()
        if self._server is not None:
            self._server.close()

    def _wait_for_bodies(self) -> None:
        while self._desk.running() and monotonic() < (self._until or 0.0):
            perform(self._claimer.settle())
            self._pause()

    def _settle(self) -> None:
        """Commit and give back what is left, for as long as the store may take to come back."""
        until = monotonic() + _SETTLE_SECONDS
        while monotonic() < until:
            self._wake_committers()
            if perform(self._claimer.settle()) and self._desk.is_idle():
                return
            self._pause()
        logger.warning(
            "worker %s ends although the store has not taken %d of its results; the tasks run again",
            self.worker_id,
            len(self._desk.leases()),
        )

    def _pause(self) -> None:
        threading.Event().wait(_STEP_SECONDS)


_teams: Final[weakref.WeakSet[Team]] = weakref.WeakSet()


def _end_all() -> None:
    """Give back, when the interpreter ends, what workers hold that nobody has stopped."""
    teams = list(_teams)
    for team in teams:
        team.drain(0.0)
    for team in teams:
        team.join(_SETTLE_SECONDS)


atexit.register(_end_all)
# The threads of a team do not follow into a forked child, and its locks may be held for ever there.
os.register_at_fork(after_in_child=_teams.clear)
