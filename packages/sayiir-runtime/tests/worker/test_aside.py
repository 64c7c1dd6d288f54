"""Steps that cannot be stored for now are kept, and take no room from others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from sayiir_core.authoring import Flow
from sayiir_core.errors import BackendError
from sayiir_core.ports.checkpoints import PartlyAnsweredError
from sayiir_core.snapshot.answer import Answer
from sayiir_core.snapshot.effect import Checkpoint
from sayiir_runtime.client import WorkflowClient
from sayiir_runtime.memory import InMemoryBackend

LATE = 20.0
STUCK = 12
Start = Callable[..., Any]


def add_one(value: int) -> int:
    """Do something."""
    return value + 1


class Half:
    """A store that takes no steps of instances whose name begins with ``stuck`` while it is shut."""

    def __init__(self, backend: InMemoryBackend, *, tells_parts: bool) -> None:
        self._backend = backend
        self._commit = backend.checkpoints.commit
        self._tells_parts = tells_parts
        self.is_shut = True
        self.calls: list[int] = []
        self.sent: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    @property
    def checkpoints(self) -> Any:
        """Stand between."""
        return self

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        """Commit what may be."""
        self.sent.update(it.lease.instance_id for it in batch)
        is_stuck = [self.is_shut and it.lease.instance_id.startswith("stuck") for it in batch]
        if not any(is_stuck):
            return self._commit(batch)
        self.calls.append(len(batch))
        if not self._tells_parts:
            raise BackendError("half of it cannot be stored (by the test)")
        free = iter(
            self._commit([it for it, stuck in zip(batch, is_stuck, strict=True) if not stuck])
        )
        raise PartlyAnsweredError(
            "half of it is away (by the test)",
            [None if stuck else next(free) for stuck in is_stuck],
        )


@pytest.mark.parametrize("tells_parts", [True, False])
def test_what_cannot_be_stored_leaves_room_for_what_can(
    client: WorkflowClient,
    start: Start,
    backend: InMemoryBackend,
    until: Callable[[Callable[[], Any]], Any],
    tells_parts: bool,
) -> None:
    """More steps are kept than a worker of two slots holds, and other runs go on beside them."""
    half = Half(backend, tells_parts=tells_parts)
    workflow: Any = Flow[int, int]("halves").then(add_one).then(add_one, name="again").build()
    stuck = [client.submit(workflow, f"stuck-{number}", 1) for number in range(STUCK)]
    start(workflow, store=half, concurrency=2)
    until(lambda: sum(half.calls) >= STUCK)

    free = client.submit(workflow, "free", 1).result(LATE)
    half.is_shut = False
    late = [handle.result(LATE) for handle in stuck]

    assert (3, [3] * STUCK) == (free, late)


def test_what_was_answered_is_not_sent_again(
    client: WorkflowClient,
    start: Start,
    backend: InMemoryBackend,
    until: Callable[[Callable[[], Any]], Any],
) -> None:
    """Only the rest of the batch is, and no step runs a second time for it."""
    runs: list[int] = []

    def count(value: int) -> int:
        runs.append(value)
        return value

    half = Half(backend, tells_parts=True)
    workflow: Any = Flow[int, int]("parts").then(count).build()
    items = [(f"{'stuck' if number % 2 else 'free'}-{number}", number) for number in range(STUCK)]
    handles = client.submit_many(workflow, items)
    start(workflow, store=half, concurrency=STUCK)
    until(lambda: sum(half.calls) >= STUCK)
    half.is_shut = False

    assert list(range(STUCK)) == [handle.result(LATE) for handle in handles]
    assert list(range(STUCK)) == sorted(runs)
    assert {1} == {times for name, times in half.sent.items() if name.startswith("free")}
    assert all(times > 1 for name, times in half.sent.items() if name.startswith("stuck"))
