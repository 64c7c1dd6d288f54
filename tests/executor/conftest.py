"""Workers over memory, drivers by name, and pids that bodies tell by files."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from sayiir import InMemoryBackend, PooledWorker, WorkflowClient, WorkflowStatus
from sayiir import run_durable_workflow as run
from sayiir import run_durable_workflow_async as run_async
from sayiir_runtime.executor import registry

LATE: Final = 40.0
"""Seconds after which something has not happened."""

Drive = Callable[[Any, Any], WorkflowStatus]


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
def start(backend: InMemoryBackend) -> Iterator[Any]:
    """Give a function that starts a worker, which is aborted after the test."""
    handles: list[Any] = []

    def make(*workflows: Any, **options: Any) -> Any:
        worker = PooledWorker("w", backend, **{"poll_interval": 0.05, **options})
        handles.append(worker.start(workflows))
        return handles[-1]

    yield make
    for handle in handles:
        handle.abort()
    for handle in handles:
        assert handle.join(LATE)


@pytest.fixture
def fresh_executors(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Give the executors of a process that has made none yet; they are closed after the test."""
    made: dict[str, Any] = {}
    monkeypatch.setattr(registry, "_executors", made)
    yield made
    for executor in made.values():
        executor.close()


@pytest.fixture(params=["run", "run_async", "worker"])
def drive(request: pytest.FixtureRequest, backend: InMemoryBackend) -> Drive:
    """Give a function that runs a workflow to its end, by each driver that stores."""

    def work(workflow: Any, value: Any) -> WorkflowStatus:
        start = request.getfixturevalue("start")
        start(workflow)
        return WorkflowClient(backend).submit(workflow, "i", value).wait(LATE)

    ways: dict[str, Drive] = {
        "run": lambda workflow, value: run(workflow, "i", value, backend),
        "run_async": lambda workflow, value: asyncio.run(run_async(workflow, "i", value, backend)),
        "worker": work,
    }
    return ways[request.param]


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    """Give a function that polls until a condition holds, and returns what that gave."""
    return poll


def poll(condition: Callable[[], Any]) -> Any:
    """Return what a condition gives as soon as that is true."""
    deadline, never = time.monotonic() + LATE, threading.Event()
    while not (answer := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        never.wait(0.005)
    return answer


def pid_in(place: Path) -> int:
    """Return the pid that a body tells."""
    return int(poll(lambda: place.exists() and place.read_text()))


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has collected yet does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"
