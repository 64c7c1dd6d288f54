"""The three calls that make an instance go on, by whatever drives it.

How this works: tests call ``run_durable_workflow``, ``resume_workflow`` and ``retry_workflow`` as
users do. On most stores these are the functions of ``sayiir``. On a store that is marked as
``Pooled`` the same words mean: submit (or revive) the instance, and let a pooled worker serve it
until it rests, that is until nothing of it runs, may run or is in back-off.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import sayiir
from sayiir import Operations, WorkflowClient, WorkflowStatus, get_task_context
from sayiir_core.errors import RunReplacedError
from sayiir_runtime.worker import PooledWorker, WorkerHandle

POLL = 0.02
PATIENCE = 30.0


class Pooled:
    """Mark a backend whose instances are served by workers; ``workers`` are those at work."""

    workers: tuple[WorkerHandle, ...] = ()


class PooledMemory(Pooled, sayiir.InMemoryBackend):
    """The memory store, served by workers."""


class PooledSQLite(Pooled, sayiir.SQLiteBackend):
    """The SQLite store, served by workers."""


class PooledPostgres(Pooled, sayiir.PostgresBackend):
    """The PostgreSQL store, served by workers."""


def run_durable_workflow(
    workflow: Any, instance_id: str, value: Any, backend: Any = None, conflict_policy: Any = None
) -> WorkflowStatus:
    """Start an instance and return its status when it rests."""
    if not isinstance(backend, Pooled):
        return sayiir.run_durable_workflow(workflow, instance_id, value, backend, conflict_policy)
    client = WorkflowClient(backend)
    handle = client.submit(workflow, instance_id, value, conflict_policy=conflict_policy)
    return serve(workflow, instance_id, backend, run_id=handle.run_id)


def resume_workflow(workflow: Any, instance_id: str, backend: Any) -> WorkflowStatus:
    """Let an instance go on and return its status when it rests."""
    if not isinstance(backend, Pooled):
        return sayiir.resume_workflow(workflow, instance_id, backend)
    return serve(workflow, instance_id, backend)


def retry_workflow(workflow: Any, instance_id: str, backend: Any) -> WorkflowStatus:
    """Revive a failed instance and return its status when it rests again."""
    if not isinstance(backend, Pooled):
        return sayiir.retry_workflow(workflow, instance_id, backend)
    Operations(backend).retry(instance_id)
    return serve(workflow, instance_id, backend)


def serve(
    workflow: Any, instance_id: str, backend: Any, *, run_id: str | None = None
) -> WorkflowStatus:
    """Let one worker serve an instance until it rests; another run of the id is told."""
    worker = PooledWorker(f"worker-of-{instance_id[-8:]}", backend, poll_interval=POLL)
    with worker.start([workflow]) as handle:
        backend.workers = (*backend.workers, handle)
        try:
            return _wait_for_rest(instance_id, backend, handle, run_id)
        finally:
            backend.workers = tuple(each for each in backend.workers if each is not handle)


def interrupt_here(backend: Any) -> None:
    """Interrupt what runs the body that calls this, as Ctrl-C does; never returns.

    A worker has no thread on which a body's interrupt could be raised: it is aborted, which is
    what the second Ctrl-C does to it.
    """
    if isinstance(backend, Pooled):
        _wait_until(lambda: backend.workers)
        for worker in backend.workers:
            worker.abort()
        context = get_task_context()
        assert context is not None
        _wait_until(lambda: context.cancelled)
    raise KeyboardInterrupt


def _wait_for_rest(
    instance_id: str, backend: Any, handle: WorkerHandle, run_id: str | None
) -> WorkflowStatus:
    operations = Operations(backend)
    found: list[WorkflowStatus] = []

    def is_over() -> bool:
        is_interrupted = not handle.is_alive
        if not is_interrupted and not handle.report().counts["claims"]:
            # It has not looked yet, and what rests must not be called by who has not looked.
            return False
        found[:] = [operations.status(instance_id)]
        is_replaced = run_id not in {None, found[0].run_id}
        return is_replaced or is_interrupted or not found[0].is_in_progress()

    _wait_until(is_over)
    (status,) = found
    if run_id is not None and run_id != status.run_id:
        raise RunReplacedError(instance_id, run_id=run_id)
    if status.is_in_progress():
        raise KeyboardInterrupt
    return status


def _wait_until(condition: Any) -> None:
    deadline, seconds, never = time.monotonic() + PATIENCE, 0.002, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        never.wait(seconds)
        seconds = min(seconds * 1.5, 0.02)
