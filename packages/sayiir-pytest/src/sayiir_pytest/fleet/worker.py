"""A worker whose decisions are real and whose threads, bodies and network are simulated."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from sayiir_core.authoring import Workflow
from sayiir_core.errors import BackendError
from sayiir_core.ids import SessionId
from sayiir_core.ports.backend import Backend
from sayiir_pytest.fleet.keeper import VirtualKeeper
from sayiir_pytest.fleet.parts import REAL, Parts
from sayiir_pytest.fleet.watch import Watch
from sayiir_pytest.fleet.world import World
from sayiir_runtime.payloads import default_codec
from sayiir_runtime.runner.attempt import Attempt
from sayiir_runtime.runner.input import MISSING, InputReader
from sayiir_runtime.worker.held import Held
from sayiir_runtime.worker.outage import Outage
from sayiir_runtime.worker.script import Script
from sayiir_runtime.worker.serving import Serving

T = TypeVar("T")

_BEAT_SECONDS = 5.0
_GRACE_SECONDS = 10.0
_SETTLE_SECONDS = 5.0
_STEP_SECONDS = 0.1
_BODY_SECONDS = (0.0, 0.01, 0.5, 3.0, 45.0)
_BODY_WEIGHTS = (60, 20, 10, 8, 2)


class VirtualWorker:
    """One process. ``kills`` tells whether the body of a step kills it."""

    def __init__(
        self,
        world: World,
        backend: Backend,
        watch: Watch,
        workflows: Iterable[Workflow[Any, Any]],
        *,
        worker_id: str,
        number: int,
        concurrency: int,
        kills: Callable[[Held], bool],
        on_end: Callable[[VirtualWorker], None],
        parts: Parts = REAL,
    ) -> None:
        self.name = f"{worker_id}#{number}"
        self.is_dead = False
        self.is_leaving = False
        self._world = world
        self._backend = backend
        self._watch = watch
        self._kills = kills
        self._on_end = on_end
        # Commits without an answer, each by its guard, until they are sent again.
        self.unclear: set[str] = set()
        self._still_until = 0.0
        self._cut_off_until = 0.0
        self._skew = timedelta(seconds=world.random.uniform(-1, 1) * world.faults.skew)
        serving = Serving(workflows, default_codec())
        self.desk = parts.desk(
            serving,
            concurrency=concurrency,
            aging_interval=backend.claims.aging_interval,
            clock=self._now,
            monotonic=world.monotonic,
        )
        self._keeper = VirtualKeeper(backend, worker_id, number, serving)
        self._equip(parts, Outage(self.desk.counts, worker_id, world.random))

    def _equip(self, parts: Parts, outage: Outage) -> None:
        committer = parts.committer(
            self.desk,
            self._backend.checkpoints,
            outage,
            after=self._look_around,
            session_lost=self._lose_session,
        )
        self._claimer = parts.claimer(
            self.desk,
            self._backend,
            self._keeper,
            outage,
            self._world.random,
            poll=None,
            admitted=self._look_around,
            settled=self._settle_commits,
            session_lost=self._lose_session,
        )
        self._claims = _Loop(self, self._claimer.turn)
        self._commits = _Loop(self, committer.turn)

    def start(self) -> None:
        """Begin to work."""
        wakeup = self._backend.wakeup
        if wakeup is not None:
            self._claimer.subscription = wakeup.subscribe(self._hear)
        self._claims.wake()
        self.after(_BEAT_SECONDS, self._beat)

    @property
    def session(self) -> SessionId | None:
        """Return its session, None if it has none at the moment."""
        return self._keeper.current

    @property
    def is_able(self) -> bool:
        """Tell whether it neither stands still nor is cut off."""
        return self._is_connected() and self._world.monotonic() >= self._still_until

    # What happens to it.

    def die(self) -> None:
        """Be killed: nothing of it happens any more, what it has sent still arrives."""
        if not self.is_dead:
            self._world.tell(f"{self.name} dies")
            self.is_leaving = False
            self._vanish()

    def _vanish(self) -> None:
        self.is_dead = True
        if self._claimer.subscription is not None:
            self._claimer.subscription.close()
        self._on_end(self)

    def leave(self) -> None:
        """End in good order: let what runs end for a while, give the rest back, say so."""
        if self.is_leaving:
            return
        self._world.tell(f"{self.name} leaves")
        self.is_leaving = True
        self.desk.drain()
        self._claims.stop()
        self._wait_for_bodies(self._world.monotonic() + _GRACE_SECONDS)

    def _wait_for_bodies(self, until: float) -> None:
        if self.desk.running() and self._world.monotonic() < until:
            again = partial(self._wait_for_bodies, until)
            self.perform(self._settle(), lambda _: self.after(_STEP_SECONDS, again))
            return
        self.desk.abandon_running()
        self._finish(self._world.monotonic() + _SETTLE_SECONDS)

    def _finish(self, until: float) -> None:
        self._commits.wake()
        self.perform(self._settle(), partial(self._settled, until))

    def _settle(self) -> Script[bool]:
        # Claiming and settling are one thread of a worker, so they never overlap.
        return self._claimer.settle() if not self._claims.is_busy else _not_yet()

    def _settled(self, until: float, is_clean: bool) -> None:
        is_over = self._world.monotonic() >= until
        if not is_over and not (is_clean and self.desk.is_idle()):
            self.after(_STEP_SECONDS, partial(self._finish, until))
            return
        self.perform(self._end_session(), lambda _: self._vanish())

    def _end_session(self) -> Script[None]:
        if self._keeper.current is not None:
            try:
                yield partial(self._backend.sessions.end, self._keeper.current)
            except BackendError:
                return

    def stand_still(self, seconds: float) -> None:
        """Be stopped for a while: a suspended machine, a long collection of garbage."""
        self._world.tell(f"{self.name} stands still for {seconds:.1f} s")
        self._still_until = max(self._still_until, self._world.monotonic() + seconds)

    def cut_off(self, seconds: float) -> None:
        """Reach the store no more for a while."""
        self._world.tell(f"{self.name} is cut off for {seconds:.1f} s")
        self._cut_off_until = max(self._cut_off_until, self._world.monotonic() + seconds)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something later, unless dead, and not while standing still."""
        self._world.after(seconds, lambda: self._do(action))

    def _do(self, action: Callable[[], None]) -> None:
        if self.is_dead:
            return
        wait = self._still_until - self._world.monotonic()
        if wait > 0:
            self._world.after(wait, lambda: self._do(action))
        else:
            action()

    def _now(self) -> datetime:
        return self._world.clock.now() + self._skew

    def _is_connected(self) -> bool:
        return self._world.monotonic() >= self._cut_off_until

    # Running scripts.

    def perform(self, script: Script[T], done: Callable[[T], None]) -> None:
        """Run a script over the simulated network."""
        self._continue(script, lambda: next(script), done)

    def _continue(
        self, script: Script[T], go_on: Callable[[], Callable[[], Any]], done: Callable[[T], None]
    ) -> None:
        try:
            call = go_on()
        except StopIteration as end:
            done(end.value)
            return
        guards = _guards_of(call)
        self.unclear -= guards

        def fail(error: BaseException) -> None:
            self.unclear |= guards
            self._do(lambda: self._continue(script, lambda: script.throw(error), done))

        self._world.send(
            call,
            reachable=self._is_connected,
            answered=lambda result: self._do(
                lambda: self._continue(script, lambda: script.send(result), done)
            ),
            failed=fail,
        )

    def _hear(self) -> None:
        faults = self._world.faults
        for _ in range(1 + self._world.chance(faults.hint_doubled)):
            if not self._world.chance(faults.hint_lost):
                self.after(self._world.random.uniform(0, 0.01), self._take_hint)

    def _take_hint(self) -> None:
        self._claimer.hint()
        self._claims.wake()

    def _settle_commits(self) -> None:
        self._commits.wake()

    def _look_around(self) -> None:
        self._start_bodies()
        self._commits.wake()
        if self.desk.quota():
            self._claims.wake()

    # Sessions.

    def _beat(self) -> None:
        self.after(_BEAT_SECONDS, self._beat)
        if self._keeper.current is not None:
            self.perform(self._keep(self._keeper.current), lambda _: None)

    def _keep(self, session: SessionId) -> Script[None]:
        try:
            is_alive = yield partial(self._backend.sessions.renew, session)
            if not is_alive:
                self._lose_session(session)
                return
            yield partial(self._backend.sessions.reap, session)
        except BackendError:
            return

    def _lose_session(self, session: SessionId) -> None:
        if self._keeper.current == session:
            self._world.tell(f"{self.name} has lost its session {session}")
            self._keeper.lost(session)
            self.unclear.clear()
            self.desk.forget(session)
            self._claims.wake()

    # Bodies.

    def _start_bodies(self) -> None:
        for is_async in (False, True):
            while (held := self.desk.take(is_async)) is not None:
                self._begin(held)
        if self.desk.can_commit():
            self._commits.wake()

    def _begin(self, held: Held) -> None:
        attempt = held.begin(MISSING, self._now)
        if not (self._is_connected() and self._world.is_store_reachable):
            self.desk.unfit(held)
            self._claims.wake()
            return
        self._watch.body_starts(held, self.desk.running())
        assert held.body is not None
        lease, program = held.claim.lease, held.program
        reader = InputReader(
            self._backend.results,
            program.codec,
            program.definition,
            lease.instance_id,
            lease.run_id,
        )
        if held.body.takes_value:
            try:
                attempt.value = reader.read(held.claim, held.carry, held.body)
            except BackendError:
                # Its instance was replaced; only a worker that has lost it finds that out.
                self.desk.unfit(held)
                return
        self.desk.started(held)
        (seconds,) = self._world.random.choices(_BODY_SECONDS, _BODY_WEIGHTS)
        if self._kills(held):
            self.after(seconds / 2, self.die)
        self.after(seconds, partial(self._end, held, attempt))

    def _end(self, held: Held, attempt: Attempt) -> None:
        contextvars.copy_context().run(_call, attempt)
        self.desk.ended(held, attempt)
        self._start_bodies()
        self._commits.wake()


def _guards_of(call: Callable[[], Any]) -> set[str]:
    """Return what names each checkpoint of a commit; nothing for other calls."""
    if not isinstance(call, partial) or call.func.__name__ != "commit":
        return set()
    (batch,) = call.args
    return {f"{it.lease.run_id} {it.lease.key} {it.lease.fence}/{it.seq}" for it in batch}


def _call(attempt: Attempt) -> None:
    if not attempt.body.is_async:
        attempt.run()
        return
    # A body of a simulation waits for nothing, so one push takes it to its end.
    try:
        attempt.run_async().send(None)
    except StopIteration:
        return
    raise RuntimeError(f"{attempt.body.node.path} must not wait for anything in a simulation")


def _not_yet() -> Script[bool]:
    yield from ()
    return False


class _Loop:
    """One thread of a worker: it takes turns, and waits in between until it is woken."""

    def __init__(self, worker: VirtualWorker, turn: Callable[[], Script[float]]) -> None:
        self._worker = worker
        self._turn = turn
        self.is_busy = False
        self._is_woken = False
        self._is_stopped = False
        self._wait = 0

    def stop(self) -> None:
        """Take no further turn."""
        self._is_stopped = True

    def wake(self) -> None:
        """Take a turn soon."""
        self._is_woken = True
        if not self.is_busy:
            self._go()

    def _go(self) -> None:
        if self._is_stopped:
            return
        self.is_busy, self._is_woken = True, False
        self._worker.perform(self._turn(), self._rest)

    def _rest(self, seconds: float) -> None:
        self.is_busy = False
        self._wait += 1
        number = self._wait
        wait = 0.0 if self._is_woken else seconds
        self._worker.after(wait, lambda: self._continue(number))

    def _continue(self, number: int) -> None:
        if number == self._wait and not self.is_busy:
            self._go()
