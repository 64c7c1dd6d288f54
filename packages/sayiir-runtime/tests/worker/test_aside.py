"""Steps that cannot be stored for now are kept, and take no room from others."""

from __future__ import annotations

import time
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
from sayiir_runtime.worker import committer

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


class Locked(Half):
    """A store in which somebody locks the rows of stuck instances: every batch with one times out."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        """Commit all or nothing."""
        if self.is_shut and any(it.lease.instance_id.startswith("stuck") for it in batch):
            self.calls.append(len(batch))
            raise BackendError("a row is locked (by the test)", transient=True)
        return self._commit(batch)


def test_a_row_that_stays_locked_stops_no_other_step(
    client: WorkflowClient,
    start: Start,
    backend: InMemoryBackend,
    until: Callable[[Callable[[], Any]], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its batch was sent again as it was, for ever, and nothing was reconciled any more."""
    monkeypatch.setattr(committer, "_PATIENCE", 2)
    locked = Locked(backend, tells_parts=False)
    workflow: Any = Flow[int, int]("locks").then(add_one).build()
    names = ["stuck", *(f"free-{number}" for number in range(40))]
    handles = {name: client.submit(workflow, name, 1) for name in names}

    worker = start(workflow, store=locked, concurrency=50)
    free = [handles[name].result(LATE) for name in names[1:]]
    until(lambda: locked.calls and locked.calls[-1] == 1)
    later = client.submit(workflow, "later", 1).result(LATE)

    assert ([2] * 40, 2) == (free, later)
    assert not handles["stuck"].status().is_completed()
    locked.is_shut = False
    assert 2 == handles["stuck"].result(LATE)
    assert worker.is_alive


class Slow(Half):
    """A store that takes its time to refuse."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        """Commit what may be."""
        if any(it.lease.instance_id.startswith("stuck") for it in batch):
            time.sleep(0.02)
        return super().commit(batch)


def test_fresh_steps_take_turns_with_many_that_are_refused(
    client: WorkflowClient,
    start: Start,
    backend: InMemoryBackend,
    until: Callable[[Callable[[], Any]], Any],
) -> None:
    """They came behind all of them, which took seconds each time."""
    half = Slow(backend, tells_parts=False)
    refused = 80
    workflow: Any = Flow[int, int]("turns").then(add_one).then(add_one, name="again").build()
    for number in range(refused):
        client.submit(workflow, f"stuck-{number}", 1)
    start(workflow, store=half, concurrency=refused)
    until(lambda: sum(half.calls) >= 2 * refused)

    before = len(half.calls)
    client.submit(workflow, "free", 1).result(LATE)

    assert len(half.calls) - before < refused // 4


def test_what_was_kept_for_an_ended_session_is_forgotten(
    client: WorkflowClient,
    start: Start,
    backend: InMemoryBackend,
    until: Callable[[Callable[[], Any]], Any],
) -> None:
    """It was sent again for ever, and the worker claimed that much more than it could run."""
    half = Half(backend, tells_parts=False)
    workflow: Any = Flow[int, int]("ended").then(add_one).build()
    for number in range(STUCK):
        client.submit(workflow, f"stuck-{number}", 1)
    worker = start(workflow, store=half, concurrency=2)
    desk = worker._team._desk
    until(lambda: sum(desk.aside.values()) == STUCK)
    session = worker.report().session

    for number in range(STUCK):
        client.cancel(f"stuck-{number}")
    worker._team._lose_session(session)
    backend.sessions.end(session)
    sent = half.sent.copy()

    until(lambda: sum(desk.aside.values()) == 0)
    assert half.sent - sent <= Counter({f"stuck-{number}": 1 for number in range(STUCK)})
