"""A journal does what every backend must do."""

import resource
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from sayiir_core.errors import BackendError
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
    KeyValueStoreConformance,
    OwnershipConformance,
    RaceConformance,
    ResultConformance,
    SessionConformance,
    SignalConformance,
    WakeupConformance,
)

LARGEST = 4 * 1024 * 1024


class OnJournal(Conformance):
    """How a backend is made, on a file of its own per test."""

    # Where the system tells when a process began; elsewhere leases alone tell who is dead.
    proves_death = sys.platform == "linux"
    payload_limit = LARGEST

    @pytest.fixture
    def location(self, tmp_path: Path) -> Path:
        """Return the path of a file that does not exist yet."""
        return tmp_path / "store.journal"

    def make_backend(self, clock: Clock, location: Path) -> Backend:
        """Return a backend that tells the time by the clock of the test."""
        journal = Journal(location, synced=False, largest=LARGEST)
        return backend_on(journal, clock=clock)


class TestStore(KeyValueStoreConformance):
    largest = LARGEST

    @pytest.fixture
    def location(self, tmp_path: Path) -> Path:
        return tmp_path / "store.journal"

    def make_store(self, location: Path) -> Journal:
        # Tidied at every other write, so that each test has several files behind it.
        return Journal(location, synced=False, largest=LARGEST, tidy_at=100)


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


class TestFile:
    """What the file of a journal survives."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "store.journal"
        journal = Journal(path)
        for key in ("first", "second"):
            journal.put(key, key.encode())
        journal.close()
        return path

    def test_a_record_that_a_crash_cut_short_never_was(self, path: Path) -> None:
        """Whatever the moment, the next writer goes on from what was acknowledged."""
        whole = path.read_bytes()
        size = len(whole) - whole.index(b"second") + 24
        for cut in range(1, size):
            path.write_bytes(whole[:-cut])
            journal = Journal(path, synced=False)

            assert [("first", b"first")] == journal.scan("", after=None, limit=9)
            assert journal.put_if("second", b"again", None)
            journal.close()
            rows = Journal(path).scan("", after=None, limit=9)
            assert [("first", b"first"), ("second", b"again")] == rows

    def test_damage_before_the_end_is_told_and_nothing_is_written(self, path: Path) -> None:
        """Acknowledged records stand behind it, so nobody may write there."""
        whole = path.read_bytes()
        end = whole.index(b"second") - 24
        for place in range(end):
            damaged = bytearray(whole)
            damaged[place] ^= 1
            path.write_bytes(damaged)

            with pytest.raises(BackendError, match=r"store\.journal is (damaged|no journal)"):
                Journal(path).put("third", b"")
            assert bytes(damaged) == path.read_bytes()

    def test_a_file_that_is_mostly_outdated_is_written_anew(self, path: Path) -> None:
        """It stays short, keeps what counts, and gives no version twice."""
        journal = Journal(path, synced=False, tidy_at=1000)
        versions: set[object] = set()
        for _ in range(200):
            journal.put("first", bytes(100))
            found = journal.get("first")
            assert found is not None
            versions.add(found.version)
            journal.delete("first")

        assert 200 == len(versions)
        assert path.stat().st_size < 2000
        assert [("second", b"second")] == Journal(path).scan("", after=None, limit=9)

    def test_a_write_that_finds_no_room_is_undone(self, path: Path) -> None:
        """Say so without asking for a repetition, and go on when there is room again."""
        journal = Journal(path, synced=False)
        before = journal.scan("", after=None, limit=9)
        size = path.stat().st_size
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, hard))
        try:
            with pytest.raises(BackendError, match="free space") as caught:
                journal.put("third", bytes(1000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

        assert not caught.value.transient
        assert (size, before) == (path.stat().st_size, journal.scan("", after=None, limit=9))
        journal.put("third", b"3")
        assert [*before, ("third", b"3")] == Journal(path).scan("", after=None, limit=9)

    def test_a_folder_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        """At ``open``, and not as something that may help when it is tried again."""
        journal = Journal(tmp_path / "nowhere" / "store.journal")

        with pytest.raises(BackendError, match=r"nowhere/store\.journal: No such file") as caught:
            journal.open()

        assert not caught.value.transient
