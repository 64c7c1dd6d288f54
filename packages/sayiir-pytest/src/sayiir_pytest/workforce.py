"""Real workers for a test, drained at its end."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final, Self

import pytest

from sayiir_core.authoring import Workflow
from sayiir_core.duration import Duration
from sayiir_core.ports.backend import Backend
from sayiir_runtime.worker import PooledWorker, WorkerHandle
from sayiir_runtime.worker.pooled import DEFAULT_CONCURRENCY

_PATIENCE: Final = "10s"


class Workforce:
    """The workers of one test. They run in threads and look often, as their clock stands still."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._handles: list[WorkerHandle] = []

    def start(
        self,
        *workflows: Workflow[Any, Any],
        worker_id: str | None = None,
        concurrency: int = DEFAULT_CONCURRENCY,
        tags: list[str] | None = None,
        poll_interval: Duration = "20ms",
    ) -> WorkerHandle:
        """Start a worker, by default named ``worker-1`` and so on."""
        worker = PooledWorker(
            worker_id or f"worker-{len(self._handles) + 1}",
            self._backend,
            concurrency=concurrency,
            tags=tags,
            poll_interval=poll_interval,
        )
        handle = worker.start(workflows)
        self._handles.append(handle)
        return handle

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.shutdown(_PATIENCE)
        late = [it.worker_id for it in self._handles if not it.join("20s")]
        if late:
            pytest.fail(f"workers that do not end: {', '.join(late)}", pytrace=False)
