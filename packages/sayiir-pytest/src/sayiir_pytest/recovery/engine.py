"""A process that runs one instance, and what all drivers of such processes share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from sayiir_pytest.recovery.boundary import Boundary
from sayiir_pytest.recovery.naming import Naming
from sayiir_pytest.recovery.scene import Scene
from sayiir_pytest.recovery.trap import Trap

Late = Callable[[], Any]


class Engine(Protocol):
    """One process. ``trap`` knows its boundaries."""

    trap: Trap

    @property
    def calls(self) -> int:
        """Return how many calls it has made that change the store; 0 if that is not known."""
        ...

    @property
    def late_answer(self) -> Any:
        """Return the answer to the late call of an earlier process, None if there was none."""
        ...

    def run(self) -> None:
        """Run the instance until it ends or nothing can go on.

        Raises ``SimulatedCrash`` where the process dies, and ``StuckError``.
        """
        ...

    def exit(self) -> None:
        """End in good order, after the late call has reached the store if it has not yet."""
        ...


class MakeEngine(Protocol):
    """Start a process."""

    def __call__(
        self, scene: Scene, target: Boundary | None = None, late: Late | None = None
    ) -> Engine:
        """Return a process that dies at a boundary; ``late`` is a call of one that is dead."""
        ...


def new_trap(scene: Scene, target: Boundary | None) -> Trap:
    """Return the trap of one more process of a scene."""
    scene.engines += 1
    naming = Naming(scene.case.workflow.definition)
    return Trap(naming, scene, target, most_calls=scene.most_calls)
