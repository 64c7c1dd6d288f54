"""A store that cannot be reached yet when a worker starts, not even for its clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sayiir_core.authoring import Flow
from sayiir_core.errors import BackendError
from sayiir_runtime.client import WorkflowClient
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.worker import WorkerHandle


class LateStore:
    """A memory store that for a while knows nothing and says so."""

    def __init__(self, backend: InMemoryBackend) -> None:
        self._backend = backend
        self.is_away = True
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        if name == "definitions":
            self._ask()
        return getattr(self._backend, name)

    def now(self) -> datetime:
        """Be a clock that is not known before the first answer."""
        self._ask()
        return self._backend.now()

    def _ask(self) -> None:
        if self.is_away:
            self.asked += 1
            raise BackendError("nobody answers", transient=True)


def test_a_worker_that_starts_before_its_store_waits_and_then_works(
    backend: InMemoryBackend,
    client: WorkflowClient,
    start: Callable[..., WorkerHandle],
    until: Callable[[Callable[[], Any]], Any],
) -> None:
    """All of its threads live on: what it claims later, it also stores."""
    workflow = Flow[int, int]("late").then(lambda value: value + 1, name="add").build()
    handle = client.submit(workflow, "i-1", 41)
    store = LateStore(backend)

    worker = start(workflow, store=store)
    until(lambda: store.asked >= 3 and worker.report().trouble)
    store.is_away = False

    assert 42 == handle.result(timeout=20)
    assert 1 == worker.report().counts["outages"]
