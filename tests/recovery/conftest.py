"""Stores that outlive their processes, and processes that end by SIGKILL."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sayiir import open_backend, resume_workflow, run_durable_workflow, send_signal
from sayiir_core.errors import InstanceNotFoundError
from sayiir_core.snapshot.reference import StepRef, encode_ref
from sayiir_runtime.runner.lease import keeper_of

FOLDER = Path(__file__).parent
PATIENCE = 60.0


def load(name: str) -> ModuleType:
    """Load a module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(f"recovery_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Scene:
    """One instance in one store, and the processes that run it."""

    def __init__(self, url: str, folder: Path, workflows: ModuleType) -> None:
        self.url = url
        self.folder = folder
        self.workflows = workflows
        self.instance_id = "killed"
        self.log = folder / "calls.log"
        self.environment = {"RECOVERY_LOG": str(self.log), "RECOVERY_MARKERS": str(folder)}
        self._opened: list[Any] = []
        self._children: list[subprocess.Popen[str]] = []

    def spawn(self, name: str, **extra: str) -> subprocess.Popen[str]:
        """Start a process that runs or resumes the instance."""
        child = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error",
                str(FOLDER / "child.py"),
                self.url,
                name,
                self.instance_id,
            ],
            env={**os.environ, **self.environment, **extra},
            stdout=subprocess.PIPE,
            text=True,
        )
        self._children.append(child)
        return child

    def killed(self, name: str, **extra: str) -> bool:
        """Run a process that shall die; tell whether it did, and was not finished before."""
        child = self.spawn(name, **extra)
        output, _ = child.communicate(timeout=PATIENCE)
        assert child.returncode in {-signal.SIGKILL, 0}, output
        return child.returncode != 0

    def finish(self, name: str) -> dict[str, Any]:
        """Run a process to its end and return what it printed."""
        return self.told_by(self.spawn(name))

    def told_by(self, child: subprocess.Popen[str]) -> dict[str, Any]:
        """Wait for a process that ends by itself and return what it printed."""
        output, _ = child.communicate(timeout=PATIENCE)
        assert child.returncode == 0, output
        told: dict[str, Any] = json.loads(output)
        return told

    def open(self) -> Any:
        """Open the store in this process."""
        self._opened.append(open_backend(self.url))
        return self._opened[-1]

    def resume(self, name: str) -> Any:
        """Go on at once in this process, to the end; from the start if nothing was stored."""
        backend, workflow = self.open(), getattr(self.workflows, name)()
        status = run_durable_workflow(workflow, self.instance_id, 5, backend, "use_existing")
        deadline = time.monotonic() + PATIENCE
        while status.is_waiting() or status.is_in_progress():
            assert time.monotonic() < deadline, status
            time.sleep(0.005)
            status = resume_workflow(workflow, self.instance_id, backend)
        return status

    def send(self, name: str, payload: Any) -> None:
        """Send a signal from this process."""
        send_signal(self.instance_id, name, payload, self.open())

    def calls(self) -> Counter[str]:
        """Return how often the body of each step was called, by idempotency key."""
        if not self.log.exists():
            return Counter()
        return Counter(line.split()[0] for line in self.log.read_text().splitlines())

    def paths(self) -> Counter[str]:
        """Return how often the body of each task was called, by path."""
        return Counter(line.split()[1] for line in self.log.read_text().splitlines())

    def recorded(self) -> Counter[str]:
        """Return the steps that the store has as succeeded, by idempotency key."""
        backend = self.open()
        try:
            run_id = backend.instances.load(self.instance_id).header.run_id
        except InstanceNotFoundError:
            return Counter()
        rows = backend.results.steps(run_id, limit=1000).rows
        return Counter(
            f"{run_id}/{encode_ref(StepRef(row.record.node, row.record.turns))}"
            for row in rows
            if row.record.status == "succeeded"
        )

    def wait_for_marker(self, name: str) -> None:
        """Wait until a process has come that far."""
        deadline = time.monotonic() + PATIENCE
        while not (self.folder / name).exists():
            assert time.monotonic() < deadline, f"no process made {name}"
            time.sleep(0.005)

    def close(self) -> None:
        """End whatever still runs, and close the store."""
        for child in self._children:
            if child.poll() is None:
                child.kill()
            child.communicate()
        for backend in self._opened:
            keeper_of(backend).close()
            backend.close()


@pytest.fixture(params=["sqlite", "postgres"])
def scene(request, tmp_path, monkeypatch):
    """Give an instance in each durable store in turn."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'sayiir.db'}"
    else:
        url = request.getfixturevalue("postgres_database")
    made = Scene(url, tmp_path, load("workflows"))
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    yield made
    made.close()
