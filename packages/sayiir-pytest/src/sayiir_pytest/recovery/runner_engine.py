"""A process with a runner of its own, simulated in this one, in virtual time."""

from __future__ import annotations

from typing import Any, Final

from sayiir_pytest.crash import SimulatedCrash, as_backend
from sayiir_pytest.process import TTL, VirtualBodies
from sayiir_pytest.recovery.bindings import Bindings
from sayiir_pytest.recovery.boundary import Boundary
from sayiir_pytest.recovery.engine import Late, new_trap
from sayiir_pytest.recovery.scene import Scene
from sayiir_pytest.recovery.trap import StuckError, TrappedBackend
from sayiir_runtime.runner.checkpointing import CheckpointingRunner
from sayiir_runtime.runner.lease import SessionKeeper

_MOST_PAUSES: Final = 500
_BUSY_SECONDS: Final = 2.0


class RunnerEngine:
    """Run an instance by a ``CheckpointingRunner`` whose session nothing renews."""

    def __init__(
        self,
        scene: Scene,
        target: Boundary | None = None,
        late: Late | None = None,
        *,
        trapped: type[TrappedBackend] = TrappedBackend,
    ) -> None:
        self._scene = scene
        self.trap = new_trap(scene, target)
        self.backend = trapped(scene.world.store, self.trap, late)
        self._keeper = SessionKeeper(as_backend(self.backend), ttl=TTL, heartbeat=None)
        self._runner = CheckpointingRunner(
            as_backend(self.backend),
            keeper=self._keeper,
            make_bodies=lambda: PatientBodies(scene),
        )
        journal, starts = scene.journal, self.backend.body_starts
        bindings = Bindings(journal, starts, engine=scene.engines, pushed=True)
        self._workflow = bindings.bind(scene.case.workflow)

    @property
    def calls(self) -> int:
        """Return how many calls it has made that change the store."""
        return self.backend.calls

    @property
    def late_answer(self) -> Any:
        """Return the answer to the late call of an earlier process."""
        return self.backend.late_answer

    def run(self) -> None:
        """Run or resume, and go on through signals, delays and deadlines."""
        try:
            self._run()
        finally:
            # What an interrupted drive could not give back is no business of a dead process.
            if self.backend.dead:
                self._keeper.lost(self._keeper.current or self._keeper.session())

    def _run(self) -> None:
        scene, runner = self._scene, self._runner
        if scene.head() is None:
            runner.run(self._workflow, scene.instance_id, scene.case.input)
        else:
            runner.resume(self._workflow, scene.instance_id, wait=_BUSY_SECONDS)
        # A process that has lost its lease leaves the rest to others.
        while not self.trap.is_sprung and scene.move_on():
            runner.resume(self._workflow, scene.instance_id, wait=_BUSY_SECONDS)

    def exit(self) -> None:
        """End the session."""
        if self.backend.dead:
            raise SimulatedCrash("exit")
        self.backend.deliver_late()
        self._keeper.close()


class PatientBodies(VirtualBodies):
    """Bodies whose waits move the clock to what the instance waits for, and not for ever."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene.world.clock)
        self._scene = scene
        self._pauses = 0

    def pause(self, seconds: float) -> None:
        """Move the clock to the next due time; raises ``StuckError`` if that never helps."""
        due, clock = self._scene.next_due(), self._scene.world.clock
        if due is not None and due > clock.now():
            clock.advance_to(due)
            return
        self._pauses += 1
        if self._pauses > _MOST_PAUSES:
            raise StuckError("what is due cannot be claimed")
        super().pause(seconds)
