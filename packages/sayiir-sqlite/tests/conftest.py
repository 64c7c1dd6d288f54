"""What the tests of the SQLite backend share: a file, a rig on it, and child processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.rig import Rig
from sayiir_sqlite import SQLiteBackend

PROGRAM = Path(__file__).with_name("child.py")

Child = subprocess.Popen[str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file that does not exist yet."""
    return tmp_path / "store.db"


@pytest.fixture
def rig(path: Path) -> Iterator[Rig]:
    """Return a backend on the file with what is needed around it."""
    clock = VirtualClock()
    rig = Rig(lambda: SQLiteBackend(path, clock=clock, synchronous="NORMAL"), clock)
    yield rig
    rig.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Child]]:
    """Return a function that starts a part of ``child.py``; what still runs is killed."""
    children: list[Child] = []

    def start_child(part: str, *arguments: object) -> Child:
        child = subprocess.Popen(
            [sys.executable, "-W", "error", str(PROGRAM), part, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield start_child
    for child in children:
        child.kill()
        child.communicate()
