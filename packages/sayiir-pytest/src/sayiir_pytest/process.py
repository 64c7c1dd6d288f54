"""Processes in one process: each with a session of its own, over a store that outlives them.

How this works: a ``World`` has a store and a clock that only the test moves. A ``Process`` is a
runner over that store, with a session that nothing renews, whose waits move the clock instead of
taking time. It may be told to die at a store call; ``World.bury`` then lets its lease run out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from sayiir_core.authoring import Workflow
from sayiir_core.errors import InstanceNotFoundError
from sayiir_core.ids import InstanceId, SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.snapshot.head import Head
from sayiir_core.snapshot.reference import StepRef, encode_ref
from sayiir_core.snapshot.step import StepRow
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.crash import CrashingBackend, CrashPoint, as_backend, bury
from sayiir_runtime.runner.bodies import BodyRunner
from sayiir_runtime.runner.checkpointing import CheckpointingRunner
from sayiir_runtime.runner.lease import SessionKeeper
from sayiir_runtime.status import WorkflowStatus

TTL: Final = timedelta(seconds=30)
_BODIES_END_SECONDS: Final = 10.0


class VirtualBodies(BodyRunner):
    """Run bodies really, but wait for back-offs by moving the clock."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def pause(self, seconds: float) -> None:
        """Move the clock instead of waiting."""
        self._clock.advance(seconds)

    def close(self) -> None:
        """Let running bodies end first: those of a real dead process would run no further."""
        deadline = time.monotonic() + _BODIES_END_SECONDS
        for attempt in self.running():
            while attempt.outcome is None and attempt.error is None:
                assert time.monotonic() < deadline, f"{attempt.body.node.path} does not end"
                time.sleep(0.001)
        super().close()


class Process:
    """A process that runs instances and may die at a store call."""

    def __init__(self, world: World, point: CrashPoint | None) -> None:
        self._world = world
        self.backend = CrashingBackend(world.store, point)
        self._keeper = SessionKeeper(as_backend(self.backend), ttl=TTL, heartbeat=None)
        self.runner = CheckpointingRunner(
            as_backend(self.backend),
            keeper=self._keeper,
            make_bodies=lambda: VirtualBodies(world.clock),
        )

    @property
    def session(self) -> SessionId:
        """Return the process's session."""
        return self._keeper.session()

    def run(self, workflow: Workflow[Any, Any], instance_id: str, value: Any) -> WorkflowStatus:
        """Start an instance, or continue it, and go on through delays and deadlines to its end."""
        try:
            self._world.store.instances.load(InstanceId(instance_id))
        except InstanceNotFoundError:
            status = self.runner.run(workflow, instance_id, value)
        else:
            status = self.runner.resume(workflow, instance_id)
        while self._world.advance_to_next(instance_id, status):
            status = self.runner.resume(workflow, instance_id)
        return status

    def exit(self) -> None:
        """End in good order."""
        if not self.backend.dead:
            self._keeper.close()


class World:
    """A store and its clock."""

    def __init__(
        self, make: Callable[[VirtualClock], Backend], clock: VirtualClock | None = None
    ) -> None:
        self.clock = clock or VirtualClock()
        self._make = make
        self.store = make(self.clock)

    def reopened(self) -> World:
        """Return the world with a store that was opened once more, under the same clock."""
        return World(self._make, self.clock)

    def process(self, point: CrashPoint | None = None) -> Process:
        """Start a process."""
        return Process(self, point)

    def bury(self) -> list[SessionId]:
        """Let the leases of the dead run out and take from them what they held."""
        return bury(self.store, self.clock, TTL)

    def advance_to_next(self, instance_id: str, status: WorkflowStatus) -> bool:
        """Move the clock to the next due time of a parked instance; False if nothing is due."""
        if not (status.is_waiting() or status.is_awaiting_signal()):
            return False
        due = [
            cursor.available_at
            for cursor in self.head(instance_id).cursors.values()
            if cursor.available_at is not None
        ]
        if not due:
            return False
        self.clock.advance_to(max(min(due), self.clock.now()))
        return True

    def head(self, instance_id: str) -> Head:
        """Return the head of an instance."""
        return self.store.instances.load(InstanceId(instance_id))

    def steps(self, instance_id: str) -> list[StepRow]:
        """Return every record of an instance, oldest first; none if it does not exist."""
        try:
            run_id = self.head(instance_id).header.run_id
        except InstanceNotFoundError:
            return []
        rows: list[StepRow] = []
        after: str | None = None
        while True:
            page = self.store.results.steps(run_id, after=after, limit=1000)
            rows.extend(page.rows)
            after = page.next
            if after is None:
                return rows

    def succeeded(self, instance_id: str) -> list[str]:
        """Return the idempotency keys of the recorded steps, in the order of their records."""
        run_id = self.head(instance_id).header.run_id if self.steps(instance_id) else ""
        return [
            f"{run_id}/{encode_ref(StepRef(row.record.node, row.record.turns))}"
            for row in self.steps(instance_id)
            if row.record.status == "succeeded"
        ]
