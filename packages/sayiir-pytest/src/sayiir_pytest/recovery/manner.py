"""How a process dies: by an exception in this one, or, in ``killed``, really."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from sayiir_pytest.recovery.boundary import Boundary
from sayiir_pytest.recovery.engine import Engine, Late, MakeEngine
from sayiir_pytest.recovery.journal import Effects, Journal
from sayiir_pytest.recovery.pool_engine import PoolEngine
from sayiir_pytest.recovery.runner_engine import RunnerEngine
from sayiir_pytest.recovery.scene import Scene

SIMULATED: Final[Mapping[str, MakeEngine]] = {"runner": RunnerEngine, "pool": PoolEngine}
"""The drivers, and what simulates a process with each."""


class Manner(Protocol):
    """One way to start and to lose processes."""

    def journal(self, effects: Effects | None) -> Journal:
        """Return an empty journal that outlives the processes."""
        ...

    def fits(self, driver: str, boundary: Boundary) -> bool:
        """Tell whether a process with this driver can die at a boundary in this manner."""
        ...

    def engine(
        self, driver: str, scene: Scene, target: Boundary | None = None, late: Late | None = None
    ) -> Engine:
        """Return a process that is not started yet."""
        ...

    def bury(self, scene: Scene) -> None:
        """Have the store know that the process is dead."""
        ...


class ByException:
    """Die by an exception that nothing may handle, in virtual time."""

    def journal(self, effects: Effects | None) -> Journal:
        """Return a journal in memory."""
        return Journal(effects)

    def fits(self, driver: str, boundary: Boundary) -> bool:  # noqa: ARG002 - one of a protocol
        """Simulated processes can die anywhere."""
        return True

    def engine(
        self, driver: str, scene: Scene, target: Boundary | None = None, late: Late | None = None
    ) -> Engine:
        """Return a simulated process."""
        return SIMULATED[driver](scene, target, late)

    def bury(self, scene: Scene) -> None:
        """Let the lease of the dead run out."""
        scene.bury()
