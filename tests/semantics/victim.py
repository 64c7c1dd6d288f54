"""A worker in a process of its own, which a test kills or stops while its task runs.

``python -m tests.semantics.victim URL FOLDER TTL``. It tells by files what happens: ``victim`` is
written when the task runs, and its task ends when the test has written ``go``. If the test has written
``stop``, the process stops itself in the task; when it goes on it waits for a new session, and
writes what it has counted to ``late``.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from sayiir import Flow, open_backend, task
from sayiir_runtime.worker import PooledWorker

PATIENCE = 60.0


def workflow(folder: Path, role: str, body):
    """Return the workflow that victim and survivor share; only what ``body`` does differs."""

    def start(value):
        return f"{value}, started by {role}"

    @task("body")
    def run(value):
        (folder / role).write_text(value)
        body()
        return f"{value}, run by {role}"

    return Flow("doomed").then(start).then(run).then(lambda value: value, name="last").build()


def wait_for(path: Path) -> None:
    """Block until a file is there."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} does not come"
        time.sleep(0.01)


def main(url: str, folder: Path, ttl: float) -> None:
    """Work until the task has run, or this process is killed."""
    backend = open_backend(url)

    def body() -> None:
        if (folder / "stop").exists():
            stop_after_a_heartbeat(backend)
        wait_for(folder / "go")

    worker = PooledWorker("victim", backend, claim_ttl=ttl, poll_interval=0.1)
    handle = worker.start([workflow(folder, "victim", body)])
    wait_for(folder / "victim")
    session = handle.report().session
    wait_for(folder / "go")
    while handle.report().session in {None, session} or handle.report().running:
        threading.Event().wait(0.02)
    (folder / "late").write_text(str(handle.report().counts))
    handle.shutdown()
    handle.join()
    backend.close()


def stop_after_a_heartbeat(backend) -> None:
    """Stop this process at a moment at which its heartbeat holds no lock of the store."""

    def renewed():
        return next(
            view.renewed_at for view in backend.sessions.live() if view.worker_id == "victim"
        )

    before = renewed()
    while renewed() == before:
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))
