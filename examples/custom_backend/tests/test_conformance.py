"""A journal does what every backend must do."""

from datetime import timedelta
from pathlib import Path

import pytest

from sayiir_core.ports.backend import Backend
from sayiir_core.ports.clock import Clock
from sayiir_journal import Journal, backend_on
from sayiir_pytest.conformance import (
    BackendConformance,
    CheckpointConformance,
    ClaimConformance,
    Conformance,
    ControlConformance,
    DefinitionConformance,
    EquivalenceConformance,
    InstanceConformance,
    OwnershipConformance,
    RaceConformance,
    ResultConformance,
    SessionConformance,
    SignalConformance,
    WakeupConformance,
)


class OnJournal(Conformance):
    """How a backend is made, on a file of its own per test."""

    payload_limit = 4 * 1024 * 1024

    @pytest.fixture
    def location(self, tmp_path: Path) -> Path:
        """Return the path of a file that does not exist yet."""
        return tmp_path / "store.journal"

    def make_backend(self, clock: Clock, location: Path) -> Backend:
        """Return a backend that tells the time by the clock of the test."""
        journal = Journal(location, synced=False, largest=self.payload_limit)
        return backend_on(journal, clock=clock)


class TestBackend(OnJournal, BackendConformance): ...


class TestInstances(OnJournal, InstanceConformance): ...


class TestDefinitions(OnJournal, DefinitionConformance): ...


class TestCheckpoints(OnJournal, CheckpointConformance): ...


class TestClaims(OnJournal, ClaimConformance): ...


class TestOwnership(OnJournal, OwnershipConformance): ...


class TestSessions(OnJournal, SessionConformance): ...


class TestSignals(OnJournal, SignalConformance): ...


class TestControl(OnJournal, ControlConformance): ...


class TestResults(OnJournal, ResultConformance): ...


class TestEquivalence(OnJournal, EquivalenceConformance): ...


class TestRaces(OnJournal, RaceConformance): ...


class TestWakeup(OnJournal, WakeupConformance):
    # Twice the longest time between two looks at the file, and some for a busy machine.
    hint_quiet = timedelta(seconds=0.15)
