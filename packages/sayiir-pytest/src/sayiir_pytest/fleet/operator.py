"""People: what they ask of instances while workers run them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from sayiir_core.errors import InstanceNotFoundError, InstanceStateError
from sayiir_core.ports.backend import Backend
from sayiir_core.snapshot.head import InstanceState
from sayiir_core.workflow.node import TaskNode
from sayiir_pytest.fleet.instance import Submitted
from sayiir_pytest.fleet.world import World
from sayiir_pytest.strategies.expect import expected
from sayiir_runtime.payloads import default_codec

_LOOK_SECONDS: Final = 8.0
_BROKEN_SECONDS: Final = 60.0


class Operator:
    """Submit instances, pause, cancel, replace and retry them, and bring bad luck over them."""

    def __init__(self, world: World, backend: Backend) -> None:
        self._world = world
        self._backend = backend
        self._instances: list[Submitted] = []

    def submit(self, one: Submitted, *, at: float, within: float) -> None:
        """Submit an instance at a time, and send its signals some time ``within``, in seconds."""
        self._instances.append(one)
        self._world.after(at, partial(one.submit, self._backend))
        self._send_signals(one, within)

    def _send_signals(self, one: Submitted, within: float) -> None:
        for name, payload in one.expected.signals:
            when = self._world.random.uniform(0, within)
            encoded = default_codec().encode(payload)
            self._world.after(
                when, partial(self._backend.signals.send, one.instance_id, name, encoded)
            )

    def start(self) -> None:
        """Look after failed instances from now on."""
        if self._world.faults.retried:
            self._look()

    # What a drawn instance may meet.

    def befall(self, one: Submitted) -> None:
        """Draw what happens to an instance."""
        world, faults = self._world, self._world.faults
        tasks = [n.ordinal for n in one.workflow.definition.nodes if isinstance(n, TaskNode)]
        if tasks and world.chance(faults.poison):
            one.killer = world.random.choice(tasks)
            one.kills_left = world.random.choice([1, 2, 3, 99])
        if tasks and world.chance(faults.refused):
            one.refused = world.random.choice(tasks)
        if tasks and world.chance(faults.broken):
            one.broken = world.random.choice(tasks)
            one.broken_until = world.random.uniform(0, 2 * _BROKEN_SECONDS)
        while world.chance(faults.paused):
            world.after(world.random.uniform(0, 60), partial(self._pause, one))
        if world.chance(faults.cancelled):
            world.after(world.random.uniform(0, 80), partial(self._cancel, one))
        while world.chance(faults.replaced):
            world.after(world.random.uniform(0, 80), partial(self._replace, one))

    def _pause(self, one: Submitted) -> None:
        control = self._backend.control
        if self._ask(one, lambda: control.pause(one.instance_id, reason=None, by=None)):
            one.is_paused = True
            self._world.after(self._world.random.uniform(0, 40), partial(self._unpause, one))

    def _unpause(self, one: Submitted) -> None:
        self._ask(one, lambda: self._backend.control.unpause(one.instance_id))
        one.is_paused = False

    def _cancel(self, one: Submitted) -> None:
        cancel = self._backend.control.cancel
        if self._ask(one, lambda: cancel(one.instance_id, reason="simulated", by=None)):
            one.is_cancelled = True

    def _replace(self, one: Submitted) -> None:
        """Start it anew with another input, whatever it does at the moment."""
        if one.plan is None or one.runs == 0:
            return
        self._world.tell(f"{one.instance_id} is replaced")
        one.value = self._world.random.randint(0, 99)
        one.expected = expected(one.plan, one.value)
        one.submit(self._backend)
        self._send_signals(one, _BROKEN_SECONDS)

    def _look(self) -> None:
        world = self._world
        # In peace nothing fails any more that must not; so it would be retried for ever.
        if not world.faults.retried:
            return
        world.after(_LOOK_SECONDS, self._look)
        for one in self._instances:
            header = self._backend.instances.headers([one.instance_id])[0]
            is_failed = header is not None and header.state is InstanceState.FAILED
            if is_failed and world.chance(world.faults.retried):
                is_retried = self._ask(one, partial(self._backend.control.retry, one.instance_id))
                if is_retried and world.chance(0.5):
                    one.repair()

    def _ask(self, one: Submitted, request: Callable[[], Any]) -> bool:
        try:
            request()
        except (InstanceNotFoundError, InstanceStateError):
            return False
        self._world.tell(f"a request reaches {one.instance_id}")
        return True
