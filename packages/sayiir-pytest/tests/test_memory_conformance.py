"""The memory backend passes the whole conformance suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sayiir_core.ids import RunKey
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.clock import Clock
from sayiir_pytest.conformance import (
    BackendConformance,
    CheckpointConformance,
    ClaimConformance,
    ControlConformance,
    DefinitionConformance,
    EquivalenceConformance,
    InstanceConformance,
    OwnershipConformance,
    RaceConformance,
    RawConformance,
    ResultConformance,
    SessionConformance,
    SignalConformance,
    WakeupConformance,
)
from sayiir_pytest.conformance.rig import Rig
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.memory.store import Store


class Memory:
    """Say how to make a memory backend."""

    def make_backend(self, clock: Clock, _location: Any) -> Backend:
        """Return a backend in memory, which has no place."""
        return InMemoryBackend(clock=clock)


class TestInstances(Memory, InstanceConformance):
    """Create, read, list and remove runs."""


class TestDefinitions(Memory, DefinitionConformance):
    """Keep definitions."""


class TestCheckpoints(Memory, CheckpointConformance):
    """Write checkpoints."""


class TestClaims(Memory, ClaimConformance):
    """Hand out cursors."""


class TestOwnership(Memory, OwnershipConformance):
    """Give whole instances to runners."""


class TestSessions(Memory, SessionConformance):
    """Keep leases."""


class TestSignals(Memory, SignalConformance):
    """Deliver signals."""


class TestControl(Memory, ControlConformance):
    """Obey requests."""


class TestResults(Memory, ResultConformance):
    """Read what was recorded."""


class TestBackend(Memory, BackendConformance):
    """Open, close and tell the time."""


class TestEquivalence(Memory, EquivalenceConformance):
    """Equal the model."""


class TestRaces(Memory, RaceConformance):
    """Keep to it with many threads."""


class TestWakeup(Memory, WakeupConformance):
    """Hint at new work."""

    hint_quiet = timedelta(0)


class MemoryRaw:
    """Look into the dictionaries."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def rows(self, run: RunKey) -> Mapping[str, int]:
        """Count what is kept of a run."""
        kept = self._store.runs.get(run.instance_id)
        inbox = self._store.inboxes.get(run.instance_id)
        signals = 0 if inbox is None else len(inbox.payloads)
        if kept is None or kept.head.header.run_id != run.run_id:
            return {"signals": signals}
        parts = {"steps": kept.steps, "scopes": kept.scopes, "cursors": kept.head.cursors}
        return {"runs": 1, "signals": signals} | {name: len(it) for name, it in parts.items()}

    def payloads(self, run: RunKey) -> Sequence[bytes]:
        """Return the input and every output."""
        kept = self._store.runs.get(run.instance_id)
        if kept is None or kept.head.header.run_id != run.run_id:
            return []
        return [kept.input, *(step[4] for step in kept.steps if step[4] is not None)]

    def close(self) -> None:
        """Nothing is open."""


class TestRaw(Memory, RawConformance):
    """Keep what is committed and nothing else."""

    def raw_store(self, rig: Rig, _location: Any) -> MemoryRaw:
        """Return a look at the dictionaries behind the backend."""
        backend: Any = rig.backend
        return MemoryRaw(backend._store)
