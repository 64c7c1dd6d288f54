"""Two committers of one worker: what leaves beside a batch, and what does not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import pytest

from sayiir_core.authoring import Flow
from sayiir_core.snapshot.answer import Answer
from sayiir_core.snapshot.effect import Checkpoint
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.worker import committer
from sayiir_runtime.worker.committer import LEAST_BESIDE
from sayiir_runtime.worker.gate import Gate

LATE: Final = 20.0
MANY: Final = 4 * LEAST_BESIDE
FEW: Final = 5


def inc(value: int) -> int:
    return value + 1


class StalledStore:
    """Keep the first batch waiting until it is let go, and note the sizes of the others."""

    def __init__(self, checkpoints: Any) -> None:
        self._checkpoints = checkpoints
        self._lock = threading.Lock()
        self._is_first = True
        self.beside: list[int] = []
        self.is_away = threading.Event()
        self.let_go = threading.Event()

    def commit(self, batch: Sequence[Checkpoint]) -> Sequence[Answer]:
        """Commit, the first time late."""
        with self._lock:
            is_first, self._is_first = self._is_first, False
            if not is_first and not self.let_go.is_set():
                self.beside.append(len(batch))
        if is_first:
            self.is_away.set()
            assert self.let_go.wait(2 * LATE)
        answers: Sequence[Answer] = self._checkpoints.commit(batch)
        return answers


@pytest.fixture
def stalled(backend: InMemoryBackend, monkeypatch: pytest.MonkeyPatch) -> Iterator[StalledStore]:
    """Give a store whose first commit stalls."""
    store = StalledStore(backend.checkpoints)
    monkeypatch.setattr(backend, "checkpoints", store)
    yield store
    store.let_go.set()


Until = Callable[[Callable[[], Any]], Any]


def test_much_leaves_beside_a_batch_that_is_away(
    stalled: StalledStore,
    client: Any,
    start: Any,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # So that nothing is taken over for having waited.
    monkeypatch.setattr(committer, "IDLE", LATE)
    workflow = Flow("w").then(inc).build()
    client.submit_many(workflow, [(f"i{number}", number) for number in range(MANY)])

    start(workflow, concurrency=MANY)
    until(lambda: stalled.beside)

    assert stalled.beside[0] >= LEAST_BESIDE
    stalled.let_go.set()
    until(lambda: all(client.status(f"i{it}").is_completed() for it in range(MANY)))


def test_what_a_stalled_commit_leaves_is_taken_over(
    stalled: StalledStore, client: Any, start: Any, until: Until
) -> None:
    """Not at once, or a worker with little to do would send two small batches instead of one."""
    workflow = Flow("w").then(inc).build()
    client.submit(workflow, "stalled", 0)
    start(workflow)
    assert stalled.is_away.wait(LATE)

    client.submit_many(workflow, [(f"i{number}", number) for number in range(FEW)])

    until(lambda: all(client.status(f"i{it}").is_completed() for it in range(FEW)))
    assert not client.status("stalled").is_completed()
    stalled.let_go.set()
    until(lambda: client.status("stalled").is_completed())


def test_a_reconciliation_waits_for_both_and_is_let_in() -> None:
    """Batches that overlap would leave it no gap."""
    gate = Gate()
    assert gate.begin_commit("first")
    assert gate.begin_commit("second", beside=True)
    gate.is_unclear = True
    assert not gate.begin_reconciling()

    gate.end_commit("second")
    assert not gate.begin_commit("second", beside=True)
    assert not gate.begin_reconciling()
    gate.end_commit("first")

    assert gate.begin_reconciling()
    assert not gate.begin_commit("first")
    gate.end_reconciling()
    assert gate.begin_commit("second", beside=True)


def test_a_batch_that_awaits_its_answer_may_be_sent_again() -> None:
    """Or a lost answer would never be asked for, and nothing would ever be reconciled."""
    gate = Gate()
    assert gate.begin_commit("second", beside=True)

    gate.is_unclear = True

    assert gate.begin_commit("second", beside=True)
