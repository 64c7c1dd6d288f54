"""What can happen to any process of a simulation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sayiir_pytest.fleet.world import World


class Process:
    """A process that can die, stand still and lose its way to the store; its clock is off."""

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self.world = world
        self.is_dead = False
        self._still_until = 0.0
        self._cut_off_until = 0.0
        self._skew = timedelta(seconds=world.random.uniform(-1, 1) * world.faults.skew)

    @property
    def is_connected(self) -> bool:
        """Tell whether its calls arrive."""
        return self.world.monotonic() >= self._cut_off_until

    @property
    def is_able(self) -> bool:
        """Tell whether it neither stands still nor is cut off."""
        return self.is_connected and self.world.monotonic() >= self._still_until

    def now(self) -> datetime:
        """Return what its clock shows."""
        return self.world.clock.now() + self._skew

    def stand_still(self, seconds: float) -> None:
        """Be stopped for a while: a suspended machine, a long collection of garbage."""
        self.world.tell(f"{self.name} stands still for {seconds:.1f} s")
        self._still_until = max(self._still_until, self.world.monotonic() + seconds)

    def cut_off(self, seconds: float) -> None:
        """Reach the store no more for a while."""
        self.world.tell(f"{self.name} is cut off for {seconds:.1f} s")
        self._cut_off_until = max(self._cut_off_until, self.world.monotonic() + seconds)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something later, unless dead, and not while standing still."""
        self.world.after(seconds, lambda: self.do(action))

    def do(self, action: Callable[[], None]) -> None:
        """Do something as soon as it stands still no more, unless dead."""
        if self.is_dead:
            return
        wait = self._still_until - self.world.monotonic()
        if wait > 0:
            self.world.after(wait, lambda: self.do(action))
        else:
            action()

    def send(
        self,
        call: Callable[[], Any],
        *,
        answered: Callable[[Any], None],
        failed: Callable[[BaseException], None],
        may_double: bool = True,
    ) -> None:
        """Have the world carry a call to the store and bring back what comes of it."""
        self.world.send(
            call,
            reachable=lambda: self.is_connected,
            answered=lambda result: self.do(lambda: answered(result)),
            failed=lambda error: self.do(lambda: failed(error)),
            may_double=may_double,
        )
