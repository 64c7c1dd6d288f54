"""Workers over the memory store, stopped after each test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from sayiir_runtime.client import WorkflowClient
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.worker import PooledWorker, WorkerHandle

LATE: Final = 20.0
"""Seconds after which something has not happened."""

Start = Callable[..., WorkerHandle]


@pytest.fixture
def backend() -> Iterator[InMemoryBackend]:
    """Give a memory store."""
    backend = InMemoryBackend()
    yield backend
    backend.close()


@pytest.fixture
def client(backend: InMemoryBackend) -> WorkflowClient:
    """Give a client of that store."""
    return WorkflowClient(backend)


@pytest.fixture
def start(backend: InMemoryBackend) -> Iterator[Start]:
    """Give a function that starts a worker; what still works is aborted after the test."""
    handles: list[WorkerHandle] = []

    def make(*workflows: Any, store: Any = None, name: str = "w", **options: Any) -> WorkerHandle:
        worker = PooledWorker(name, store or backend, **{"poll_interval": 0.05, **options})
        handles.append(worker.start(workflows))
        return handles[-1]

    yield make
    for handle in handles:
        handle.abort()
    for handle in handles:
        assert handle.join(LATE), f"worker {handle.worker_id} does not end"


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    """Give a function that polls until a condition holds, and returns what that gave."""

    def poll(condition: Callable[[], Any]) -> Any:
        deadline, never = time.monotonic() + LATE, threading.Event()
        while not (answer := condition()):
            assert time.monotonic() < deadline, "it did not happen in time"
            never.wait(0.005)
        return answer

    return poll
