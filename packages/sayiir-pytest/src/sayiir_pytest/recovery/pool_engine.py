"""A process with a pooled worker, simulated in this one, in virtual time.

How this works: it decides with the code of the real worker, its desk, its claimer and its committer. What
they say in turn is done on one thread: a claim, the bodies that it gave, a commit. Nothing is late or lost
but at the boundary, so that a story has the same boundaries each time.
"""

from __future__ import annotations

import contextvars
from datetime import timedelta
from random import Random
from typing import Any, Final

from sayiir_core.errors import BackendError
from sayiir_core.ids import SessionId
from sayiir_pytest.clock import START
from sayiir_pytest.crash import SimulatedCrash, as_backend
from sayiir_pytest.process import TTL
from sayiir_pytest.recovery.bindings import Bindings
from sayiir_pytest.recovery.boundary import Boundary
from sayiir_pytest.recovery.engine import Late, new_trap
from sayiir_pytest.recovery.scene import Scene, due_of
from sayiir_pytest.recovery.trap import StuckError, TrappedBackend
from sayiir_runtime.client import WorkflowClient
from sayiir_runtime.payloads import default_codec
from sayiir_runtime.runner.attempt import Attempt
from sayiir_runtime.runner.input import MISSING, InputReader
from sayiir_runtime.runner.lease import SessionKeeper
from sayiir_runtime.worker.claimer import Claimer
from sayiir_runtime.worker.committer import Committer
from sayiir_runtime.worker.desk import Desk
from sayiir_runtime.worker.held import Held
from sayiir_runtime.worker.outage import Outage
from sayiir_runtime.worker.script import perform
from sayiir_runtime.worker.serving import Serving

_CONCURRENCY: Final = 8
_MOST_IDLE: Final = 200
_SHORTEST: Final = timedelta(milliseconds=10)


class PoolEngine:
    """Run an instance by a pooled worker that serves nothing else."""

    def __init__(
        self, scene: Scene, target: Boundary | None = None, late: Late | None = None
    ) -> None:
        self._scene = scene
        self.trap = new_trap(scene, target)
        self.backend = TrappedBackend(scene.world.store, self.trap, late)
        bindings = Bindings(
            scene.journal, self.backend.body_starts, engine=scene.engines, pushed=True
        )
        serving = Serving([bindings.bind(scene.case.workflow)], default_codec())
        store = as_backend(self.backend)
        self._desk = Desk(
            serving,
            concurrency=_CONCURRENCY,
            aging_interval=store.claims.aging_interval,
            clock=scene.world.clock.now,
            monotonic=self._monotonic,
        )
        lanes = tuple(sorted(serving.lanes))
        self._keeper = SessionKeeper(
            store, worker_id="worker", ttl=TTL, heartbeat=None, lanes=lanes
        )
        self._equip(Outage(self._desk.counts, "worker", Random(0)))  # noqa: S311 - a chosen story

    def _equip(self, outage: Outage) -> None:
        store = as_backend(self.backend)
        self._claimer = Claimer(
            self._desk,
            store,
            self._keeper,
            outage,
            Random(0),  # noqa: S311 - as above
            poll=None,
            admitted=_do_nothing,
            settled=_do_nothing,
            session_lost=self._lose_session,
        )
        self._committer = Committer(
            self._desk,
            store.checkpoints,
            outage,
            after=_do_nothing,
            session_lost=self._lose_session,
        )

    @property
    def calls(self) -> int:
        """Return how many calls it has made that change the store."""
        return self.backend.calls

    @property
    def late_answer(self) -> Any:
        """Return the answer to the late call of an earlier process."""
        return self.backend.late_answer

    def run(self) -> None:
        """Submit the instance if it does not exist, and work until it ends or rests for good."""
        scene, idle, is_new = self._scene, 0, True
        if scene.head() is None:
            # The client is another process, which lives on.
            client = WorkflowClient(scene.world.store)
            client.submit(scene.case.workflow, scene.instance_id, scene.case.input)
        # It claims once at least: of what is over it must be given nothing.
        while self._goes_on() or is_new:
            is_new = False
            seconds = perform(self._claimer.turn())
            if self._work():
                idle = 0
            else:
                idle += 1
                self._rest(seconds)
            if idle > _MOST_IDLE:
                raise StuckError("what is due cannot be claimed")

    def exit(self) -> None:
        """Give back what is held, and end the session."""
        self.backend.deliver_late()
        self._desk.drain()
        while not self._desk.is_idle():
            if not perform(self._claimer.settle()):
                raise StuckError("what is held cannot be given back")
            self._commit()
        self._keeper.close()

    def _monotonic(self) -> float:
        return (self._scene.world.clock.now() - START).total_seconds()

    def _goes_on(self) -> bool:
        """Tell whether there is something to do now or later; a signal is sent if one is due."""
        scene = self._scene
        head = scene.head()
        if head is None or scene.is_over():
            return False
        return not self._desk.is_idle() or scene.send_due() or due_of(head) is not None

    def _rest(self, seconds: float) -> None:
        """Let time pass, at once up to what is due."""
        clock, due = self._scene.world.clock, self._scene.next_due()
        if due is not None and due > clock.now() and self._desk.is_idle():
            clock.advance_to(due)
        else:
            clock.advance(max(timedelta(seconds=seconds), _SHORTEST))

    def _lose_session(self, session: SessionId) -> None:
        self._keeper.lost(session)
        self._desk.forget(session)

    # Work.

    def _work(self) -> bool:
        """Run what was claimed, and commit what has ended; tell whether there was anything.

        Commits come between bodies that were taken at once, after one, after three, and so on: so
        some results wait for company when the process dies, and some do not.
        """
        self._commit()
        taken = [held for is_async in (False, True) for held in self._take(is_async)]
        for number, held in enumerate(taken):
            self._run(held)
            if number % 2 == 0:
                self._commit()
        self._commit()
        return bool(taken)

    def _take(self, is_async: bool) -> list[Held]:
        taken: list[Held] = []
        while (held := self._desk.take(is_async)) is not None:
            taken.append(held)
        return taken

    def _commit(self) -> None:
        while self._desk.can_commit():
            perform(self._committer.turn())

    def _run(self, held: Held) -> None:
        attempt = held.begin(MISSING, self._scene.world.clock.now)
        if self._read(held, attempt) and self._desk.started(held):
            contextvars.copy_context().run(_call, attempt)
            if self.backend.dead:
                raise SimulatedCrash(attempt.body.node.path)
            self._desk.ended(held, attempt)

    def _read(self, held: Held, attempt: Attempt) -> bool:
        """Read the input of a body; what cannot be decoded has failed, what is gone is given back."""
        lease, program = held.claim.lease, held.program
        reader = InputReader(
            self._scene.world.store.results,
            program.codec,
            program.definition,
            lease.instance_id,
            lease.run_id,
        )
        try:
            if attempt.body.takes_value:
                attempt.value = reader.read(held.claim, held.carry, attempt.body)
        except BackendError:
            self._desk.unfit(held)
            return False
        except Exception as error:  # noqa: BLE001 - decoding calls user code
            attempt.fail(error)
            self._desk.ended(held, attempt)
            return False
        return True


def _call(attempt: Attempt) -> None:
    if not attempt.body.is_async:
        attempt.run()
        return
    # What is awaited has run on a thread of its own, so one push takes it to its end.
    try:
        attempt.run_async().send(None)
    except StopIteration:
        return
    raise AssertionError(f"{attempt.body.node.path} was not pushed to its end")


def _do_nothing() -> None:
    """Nobody waits to be told: all is done in turn."""
