"""A body that holds the interpreter's lock for longer than the lease of its worker.

The point of the process executor, on a real store with real workers: see "Limits" of the README.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sayiir import PooledWorker, SQLiteBackend, WorkflowClient
from tests.executor import holder
from tests.executor.conftest import LATE, poll

ROOT = Path(__file__).parents[2]
TTL = 2.0
HELD_SECONDS = 6


class Scene:
    """A holder in a process of its own, and another worker here that may take over."""

    def __init__(self, backend: SQLiteBackend, folder: Path) -> None:
        self.backend, self.folder = backend, folder
        self.client = WorkflowClient(backend)
        self.takers: list[str] = []
        self.workflow = holder.held(lambda _value: self._take())
        self.run = self.client.submit(self.workflow, "i", [str(folder), HELD_SECONDS])

    def _take(self) -> str:
        self.takers.append("other")
        return "other"

    @property
    def renewed(self) -> set[object]:
        """Return when the session of the holder was last renewed."""
        return {it.renewed_at for it in self.backend.sessions.live() if it.worker_id == "holder"}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Give a scene on a file of its own."""
    with closing(SQLiteBackend(tmp_path / "s.db")) as backend:
        yield Scene(backend, tmp_path)


@contextmanager
def holding(scene: Scene, executor: str) -> Iterator[None]:
    """Let the holder begin, and the other worker stand beside it."""
    url = f"sqlite:///{scene.folder / 's.db'}"
    command = [sys.executable, "-m", "tests.executor.holder", url, str(TTL), executor]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        poll((scene.folder / "begun").exists)
        other = PooledWorker("other", scene.backend, claim_ttl=TTL, poll_interval=0.05)
        with other.start([scene.workflow]):
            yield
    finally:
        process.kill()
        process.wait()


def test_in_a_thread_the_lease_is_lost(scene: Scene) -> None:
    """Nothing of the worker moves, so another one takes the task over: it runs twice."""
    with holding(scene, ""):
        small = scene.client.submit(holder.small, "small", 1)

        assert "other" == scene.run.result(LATE)
        assert not (scene.folder / "ended").exists()
        assert "in_progress" == scene.client.status("small").status
        assert 2 == small.result(LATE)
        poll((scene.folder / "ended").exists)

    assert ["other"] == scene.takers
    assert "holder " == (scene.folder / "calls").read_text()


def test_in_a_process_the_task_runs_once_and_the_worker_moves_on(scene: Scene) -> None:
    """The lease is renewed meanwhile, and other tasks are done."""
    with holding(scene, "process"):
        small, renewals = 0, set(scene.renewed)
        while not (scene.folder / "ended").exists():
            small += 1
            assert small + 1 == scene.client.submit(holder.small, f"s-{small}", small).result(LATE)
            renewals |= scene.renewed
            time.sleep(0.05)

        assert "holder" == scene.run.result(LATE)

    assert [] == scene.takers
    assert "holder " == (scene.folder / "calls").read_text()
    assert small >= 5
    assert len(renewals) >= 3
