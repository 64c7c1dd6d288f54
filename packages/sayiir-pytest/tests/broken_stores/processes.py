"""Bugs that only several processes show; the names of the ports' methods say what they do."""

# ruff: noqa: D102

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import broken_stores.making as making  # noqa: PLR0402 - loads the settings of the generators
from sayiir_core.ids import InstanceId, SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.clock import Clock
from sayiir_core.ports.ownership import Busy, Owned
from sayiir_core.snapshot.answer import Answer, Committed
from sayiir_core.snapshot.effect import Checkpoint
from sayiir_pytest.conformance import Conformance, RaceConformance
from sayiir_sqlite import SQLiteBackend

assert making


def look_and_wait() -> None:
    """Let whoever looks at the same time see the same."""
    threading.Event().wait(0.02)


class BrokenFile(Conformance):
    """Make a SQLite backend, and put something in front of one of its ports."""

    port = ""
    broken: type = object

    @pytest.fixture
    def location(self, tmp_path: Path) -> Path:
        return tmp_path / "store.db"

    def make_backend(self, clock: Clock, location: Path) -> Backend:
        backend: Any = SQLiteBackend(location, clock=clock, synchronous="NORMAL")
        setattr(backend, f"_{self.port}", self.broken(backend, getattr(backend, self.port)))
        return backend


class Front:
    """A port with another in front, which does what it does not do itself."""

    def __init__(self, backend: Backend, port: Any) -> None:
        self._backend = backend
        self._port = port

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


class OwnsOnAStaleRead(Front):
    """Look whether a run is free, and take it later without looking again."""

    def own(self, session: SessionId, instance_id: InstanceId) -> Owned | Busy:
        head = self._backend.instances.load(instance_id)
        look_and_wait()
        answer: Owned | Busy = self._port.own(session, instance_id)
        return Owned(head) if head.header.owner is None else answer


class TestOwnsOnAStaleRead(BrokenFile, RaceConformance):
    port = "ownership"
    broken = OwnsOnAStaleRead


class RemembersItsCommits(Front):
    """Recognise repetitions by what this process has committed, not by what is stored."""

    def __init__(self, backend: Backend, port: Any) -> None:
        super().__init__(backend, port)
        self._known: set[tuple[str, int, int]] = set()

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        return [self._commit(checkpoint) for checkpoint in batch]

    def _commit(self, checkpoint: Checkpoint) -> Answer:
        guard = (checkpoint.lease.run_id, checkpoint.lease.fence, checkpoint.seq)
        is_known = guard in self._known
        self._known.add(guard)
        (answer,) = self._port.commit([checkpoint])
        return Committed(replayed=is_known) if isinstance(answer, Committed) else answer


class TestRemembersItsCommits(BrokenFile, RaceConformance):
    port = "checkpoints"
    broken = RemembersItsCommits


class NumbersInProcess(Front):
    """Number signals by a counter of the process."""

    def __init__(self, backend: Backend, port: Any) -> None:
        super().__init__(backend, port)
        self._last = 0

    def send(self, instance_id: InstanceId, name: str, payload: bytes) -> int:
        self._port.send(instance_id, name, payload)
        self._last += 1
        return self._last


class TestNumbersInProcess(BrokenFile, RaceConformance):
    port = "signals"
    broken = NumbersInProcess
