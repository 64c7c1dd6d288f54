"""A worker whose decisions are real and whose threads, bodies and network are simulated."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from sayiir_core.authoring import Workflow
from sayiir_core.engine.outcome import TimedOut
from sayiir_core.errors import BackendError
from sayiir_core.ids import InstanceId, SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.wakeup import HintKind
from sayiir_pytest.fleet.bodies import attempt_number, call, seconds_of_body
from sayiir_pytest.fleet.keeper import VirtualKeeper
from sayiir_pytest.fleet.loop import Loop
from sayiir_pytest.fleet.parts import REAL, Parts
from sayiir_pytest.fleet.process import Process
from sayiir_pytest.fleet.watch import Watch
from sayiir_runtime.payloads import default_codec
from sayiir_runtime.runner.attempt import Attempt
from sayiir_runtime.runner.input import MISSING, InputReader
from sayiir_runtime.worker.held import Held, Phase
from sayiir_runtime.worker.outage import Outage
from sayiir_runtime.worker.script import Script
from sayiir_runtime.worker.serving import Serving

T = TypeVar("T")

_BEAT_SECONDS = 5.0
_GRACE_SECONDS = 10.0
_SETTLE_SECONDS = 5.0
_STEP_SECONDS = 0.1
# Batches are small here; two of one worker shall overlap all the same.
_LEAST_BESIDE = 2


Kills = Callable[[InstanceId, int], bool]


class VirtualWorker:
    """A process. ``kills`` tells whether the body at a node of an instance kills it."""

    def __init__(
        self,
        process: Process,
        backend: Backend,
        watch: Watch,
        workflows: Iterable[Workflow[Any, Any]],
        *,
        worker_id: str,
        number: int,
        concurrency: int,
        kills: Kills,
        on_end: Callable[[VirtualWorker], None],
        parts: Parts = REAL,
    ) -> None:
        self.process = process
        self.is_leaving = False
        self._world = process.world
        self._backend = backend
        self._watch = watch
        self._kills = kills
        self._on_end = on_end
        # Commits without an answer, each by its guard, until they are sent again.
        self.unclear: set[str] = set()
        self._limits: dict[Attempt, float] = {}
        # What runs here, until it ends or is given up.
        self._bodies: dict[Attempt, Held] = {}
        serving = Serving(workflows, default_codec())
        self.desk = parts.desk(
            serving,
            concurrency=concurrency,
            aging_interval=backend.claims.aging_interval,
            clock=process.now,
            monotonic=process.world.monotonic,
        )
        self._keeper = VirtualKeeper(
            backend,
            worker_id,
            number,
            monotonic=process.world.monotonic,
            lanes=tuple(sorted(serving.lanes)),
        )
        self._equip(parts, Outage(self.desk.counts, worker_id, self._world.random))

    def _equip(self, parts: Parts, outage: Outage) -> None:
        committers = [
            parts.committer(
                self.desk,
                self._backend.checkpoints,
                outage,
                after=self._look_around,
                session_lost=self._lose_session,
                least=least,
            )
            for least in (1, _LEAST_BESIDE)
        ]
        self._claimer = parts.claimer(
            self.desk,
            self._backend,
            self._keeper,
            outage,
            self._world.random,
            poll=None,
            admitted=self._look_around,
            settled=self._wake_commits,
            session_lost=self._lose_session,
        )
        self._claims = Loop(self.process, self.perform, self._claimer.turn)
        self._commits = [Loop(self.process, self.perform, it.turn) for it in committers]

    def start(self) -> None:
        """Begin to work."""
        wakeup = self._backend.wakeup
        if wakeup is not None:
            self._claimer.subscription = wakeup.subscribe(HintKind.CLAIMABLE, self._hear)
        self._claims.wake()
        self.after(_BEAT_SECONDS, self._beat)

    @property
    def session(self) -> SessionId | None:
        """Return its session, None if it has none at the moment."""
        return self._keeper.current

    # What happens to it.

    def die(self) -> None:
        """Be killed: nothing of it happens any more, what it has sent still arrives."""
        if not self.process.is_dead:
            self._world.tell(f"{self.process.name} dies")
            self.is_leaving = False
            self._vanish()

    def _vanish(self) -> None:
        self.process.is_dead = True
        if self._claimer.subscription is not None:
            self._claimer.subscription.close()
        self._on_end(self)

    def leave(self) -> None:
        """End in good order: let what runs end for a while, give the rest back, say so."""
        if self.is_leaving:
            return
        self._world.tell(f"{self.process.name} leaves")
        self.is_leaving = True
        self.desk.drain()
        self._claims.stop()
        self._wait_for_bodies(self._world.monotonic() + _GRACE_SECONDS)

    def _wait_for_bodies(self, until: float) -> None:
        if self.desk.running() and self._world.monotonic() < until:
            again = partial(self._wait_for_bodies, until)
            self.perform(self._settle(), lambda _: self.after(_STEP_SECONDS, again))
            return
        self._give_up(self.desk.abandon_running())
        self._finish(self._world.monotonic() + _SETTLE_SECONDS)

    def _finish(self, until: float) -> None:
        self._wake_commits()
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

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something later, unless dead, and not while standing still."""
        self.process.after(seconds, action)

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
            self._continue(script, lambda: script.throw(error), done)

        self.process.send(
            call,
            answered=lambda result: self._continue(script, lambda: script.send(result), done),
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

    def _wake_commits(self) -> None:
        for loop in self._commits:
            loop.wake()

    def _look_around(self) -> None:
        self._start_bodies()
        self._wake_commits()
        if self.desk.quota():
            self._claims.wake()

    # Sessions.

    def _beat(self) -> None:
        self.after(_BEAT_SECONDS, self._beat)
        self._look_after()
        self._check_bodies()
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
            self._world.tell(f"{self.process.name} has lost its session {session}")
            self._keeper.lost(session)
            self.unclear.clear()
            self._give_up(self.desk.forget(session))
            self._claims.wake()

    # Bodies.

    def _start_bodies(self) -> None:
        for is_async in (False, True):
            while (held := self.desk.take(is_async)) is not None:
                self._begin(held)
        if self.desk.can_commit():
            self._wake_commits()

    def _begin(self, held: Held) -> None:
        attempt = held.begin(MISSING, self.process.now)
        if not (self.process.is_connected and self._world.is_store_reachable):
            self.desk.unfit(held)
            self._claims.wake()
            return
        self._watch.body_starts(held, self.desk.running())
        body, lease, program = attempt.body, held.claim.lease, held.program
        reader = InputReader(
            self._backend.results,
            program.codec,
            program.definition,
            lease.instance_id,
            lease.run_id,
        )
        if body.takes_value:
            try:
                attempt.value = reader.read(held.claim, held.carry, body)
            except BackendError as error:
                # Its instance was replaced; only a worker that has lost it finds that out.
                attempt.fail(error)
                self._ended(held, attempt)
                return
        self._run(held, attempt)

    def _run(self, held: Held, attempt: Attempt) -> None:
        if not self.desk.started(held):
            return
        body, cursor = attempt.body, held.claim.cursor
        limit = body.timeout_seconds
        if limit is not None:
            self._limits[attempt] = self._world.monotonic() + limit
            self.after(limit, self._look_after)
        self._bodies[attempt] = held
        seconds = seconds_of_body(self._world.random, body.metadata, attempt_number(attempt))
        if self._kills(held.claim.lease.instance_id, cursor.node):
            self.after(seconds / 2, self.die)
        self.after(seconds, partial(self._end, held, attempt))

    def _end(self, held: Held, attempt: Attempt) -> None:
        # Whoever looks for what runs too long is never later than the end of it.
        if self._limits.get(attempt, math.inf) <= self._world.monotonic():
            self._look_after()
            # What was given up for another reason may run on: nobody waits for it.
            if attempt in self._limits and not attempt.is_set:
                raise self._watch.violates(f"it runs on after its timeout: {attempt.claim.lease}")
        # A coroutine that was given up is cancelled, a thread runs on.
        if not (attempt.is_set and attempt.body.is_async):
            call(attempt)
            self._ended(held, attempt)

    def _ended(self, held: Held, attempt: Attempt) -> None:
        self._limits.pop(attempt, None)
        self._bodies.pop(attempt, None)
        self.desk.ended(held, attempt)
        self._start_bodies()
        self._wake_commits()

    def _look_after(self) -> None:
        """Give up what runs too long, as the thread does that looks after bodies."""
        moment = self._world.monotonic()
        late = self.desk.overdue()
        self._give_up(late)
        for attempt in late:
            is_due = self._limits.pop(attempt, math.inf) <= moment
            if is_due:
                self._watch.timed_out(attempt)
            elif isinstance(attempt.outcome, TimedOut):
                path, lease = attempt.body.node.path, attempt.claim.lease
                raise self._watch.violates(f"{path} of {lease} was timed out before its time")
        if late:
            self._look_around()

    def _give_up(self, attempts: Iterable[Attempt]) -> None:
        for attempt in attempts:
            attempt.is_set = True
            self._bodies.pop(attempt, None)

    def _check_bodies(self) -> None:
        """Check that every body is waited for, or was given up and told so."""
        for attempt, held in self._bodies.items():
            if held.attempt is not attempt or held.phase is not Phase.RUNNING:
                raise self._watch.violates(
                    f"nobody waits for {attempt.body.node.path} of {attempt.claim.lease}, and "
                    f"nobody gave it up"
                )

    def overdue(self) -> list[str]:
        """Return what runs although its timeout has passed, and was not given up."""
        moment = self._world.monotonic()
        return [
            f"{attempt.body.node.path} of {attempt.claim.lease}"
            for attempt, limit in self._limits.items()
            if limit < moment and not attempt.is_set
        ]


def _guards_of(call: Callable[[], Any]) -> set[str]:
    """Return what names each checkpoint of a commit; nothing for other calls."""
    if not isinstance(call, partial) or call.func.__name__ != "commit":
        return set()
    (batch,) = call.args
    return {f"{it.lease.run_id} {it.lease.key} {it.lease.fence}/{it.seq}" for it in batch}


def _not_yet() -> Script[bool]:
    yield from ()
    return False
