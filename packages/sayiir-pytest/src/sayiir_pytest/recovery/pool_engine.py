"""A process with a pooled worker, simulated in this one, in virtual time.

How this works: the worker is that of the simulated fleet, which decides with the code of the real
one: its desk, its claimer, its committer. Its threads and bodies are events, one at a time, in a world
without misfortunes of its own, so the only thing that goes wrong is the boundary.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any, Final

from sayiir_pytest.crash import SimulatedCrash, as_backend
from sayiir_pytest.fleet.faults import CALM
from sayiir_pytest.fleet.watched import WatchedBackend
from sayiir_pytest.fleet.worker import VirtualWorker
from sayiir_pytest.fleet.world import World as Weather
from sayiir_pytest.recovery.bindings import Bindings
from sayiir_pytest.recovery.boundary import Boundary
from sayiir_pytest.recovery.engine import Late, new_trap
from sayiir_pytest.recovery.scene import Scene
from sayiir_pytest.recovery.trap import StuckError, TrappedBackend
from sayiir_runtime.client import WorkflowClient

_CONCURRENCY: Final = 8
_LOOK_EVERY: Final = 10
_LONG: Final = timedelta(seconds=60)
_PATIENCE: Final = timedelta(seconds=400)
_numbers: Final = count(1)


class PoolEngine:
    """Run an instance by a pooled worker that serves nothing else."""

    def __init__(
        self, scene: Scene, target: Boundary | None = None, late: Late | None = None
    ) -> None:
        self._scene = scene
        self.trap = new_trap(scene, target)
        self._watch = scene.watch
        watched = WatchedBackend(scene.world.store, self._watch, self._ids)
        # A simulated worker has no threads, so nobody may hint from one.
        watched.wakeup = None
        self.backend = TrappedBackend(watched, self.trap, late)
        self._workflow = Bindings(
            scene.journal, self.backend.body_starts, engine=scene.engines, pushed=True
        ).bind(scene.case.workflow)
        self._weather = Weather(0, CALM)
        self._weather.clock = scene.world.clock
        self._employed = 0
        self._worker: VirtualWorker | None = None

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
        scene = self._scene
        if scene.head() is None:
            # The client is another process, which lives on.
            WorkflowClient(scene.world.store).submit(
                scene.case.workflow, scene.instance_id, scene.case.input
            )
        self._employ()
        patience = Patience(scene)
        while self._is_wanted(patience):
            self._step()
        self._raise_violation()

    def exit(self) -> None:
        """Let the worker end."""
        if self.backend.dead:
            raise SimulatedCrash("exit")
        self.backend.deliver_late()
        self._leave()
        self._raise_violation()

    def _ids(self) -> list[Any]:
        return [] if self._scene.head() is None else [self._scene.instance_id]

    def _is_wanted(self, patience: Patience) -> bool:
        """Look at the instance now and then, and skip the time in which it only rests."""
        if self._weather.events % _LOOK_EVERY:
            return True
        scene = self._scene
        head = scene.head()
        assert head is not None
        if scene.is_over():
            return False
        if head.executing or scene.send_due():
            patience.renew()
            return True
        due, now = scene.next_due(), scene.world.clock.now()
        if due is None:
            return False
        if due - now > _LONG:
            self._leave()
            scene.world.clock.advance_to(max(due, scene.world.clock.now()))
            self._employ()
            patience.renew()
        return patience.is_left()

    def _employ(self) -> None:
        self._employed += 1
        self._worker = VirtualWorker(
            self._weather,
            as_backend(self.backend),
            self._watch,
            [self._workflow],
            worker_id="worker",
            number=next(_numbers),
            concurrency=_CONCURRENCY,
            kills=lambda _: False,
            on_end=lambda _: None,
        )
        self._worker.start()

    def _leave(self) -> None:
        worker = self._worker
        assert worker is not None
        worker.leave()
        while not worker.is_dead:
            self._step()

    def _step(self) -> None:
        try:
            has_more = self._weather.step()
        except SimulatedCrash:
            self._die()
            raise
        if self.backend.dead:
            self._die()
            raise SimulatedCrash("worker")
        if not has_more:
            raise StuckError("the worker waits for nothing")

    def _die(self) -> None:
        if self._worker is not None:
            self._worker.die()

    def _raise_violation(self) -> None:
        if self._watch.violation is not None:
            raise self._watch.violation


class Patience:
    """How long something that is due is waited for."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.renew()

    def renew(self) -> None:
        """Start to wait anew."""
        self._until = self._scene.world.clock.now() + _PATIENCE

    def is_left(self) -> bool:
        """Tell whether it is worth waiting on."""
        return self._scene.world.clock.now() < self._until
