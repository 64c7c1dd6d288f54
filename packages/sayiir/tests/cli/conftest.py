"""Start commands, and end them with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packages.sayiir.tests.cli.process import Command
from sayiir import SQLiteBackend, WorkflowClient


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """Give what starts ``sayiir worker`` with arguments, on a store of this test."""
    started: list[Command] = []

    def start(*arguments: str, wrapper: tuple[str, ...] = ()) -> Command:
        started.append(Command(tmp_path, *arguments, wrapper=wrapper))
        return started[-1]

    yield start
    for command in started:
        command.close()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[WorkflowClient]:
    """Give a client of the store that the workers of this test serve."""
    backend = SQLiteBackend(str(tmp_path / "store.db"))
    yield WorkflowClient(backend)
    backend.close()
