"""What a simulated fleet is made of, so that a test can put something broken in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sayiir_core.engine.explain import explain
from sayiir_core.ports.clock import Clock
from sayiir_pytest.fleet.reasons import Explain
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.runner.checkpointing import CheckpointingRunner
from sayiir_runtime.worker.claimer import Claimer
from sayiir_runtime.worker.committer import Committer
from sayiir_runtime.worker.desk import Desk


def _memory(clock: Clock) -> InMemoryBackend:
    return InMemoryBackend(clock=clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The store, the classes that decide for a worker and for a runner, and what explains them."""

    backend: Callable[[Clock], InMemoryBackend] = _memory
    desk: type[Desk] = Desk
    claimer: type[Claimer] = Claimer
    committer: type[Committer] = Committer
    runner: type[CheckpointingRunner] = CheckpointingRunner
    explain: Explain = explain


REAL: Final = Parts()
"""Those of the product."""
