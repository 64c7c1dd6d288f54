"""Files that cannot be used: a clear error that names them, and no change to them."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sayiir_core.errors import BackendError
from sayiir_core.ids import InstanceId
from sayiir_core.ports.sessions import NewSession
from sayiir_pytest.conformance.child import in_forked_child
from sayiir_pytest.conformance.rig import TTL, Rig
from sayiir_pytest.conformance.sample import NOBODY, step
from sayiir_sqlite import SQLiteBackend

NOBODYS_ID = 65534


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that every user can reach."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


def as_unprivileged_user(work: Callable[[], None]) -> None:
    """Run a function in a child that the permissions of files mean something to."""

    def drop_and_work() -> None:
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(NOBODYS_ID)
            os.setuid(NOBODYS_ID)
        work()

    in_forked_child(drop_and_work)


def fails_to_open(path: Path, match: str) -> BackendError:
    """Return the error of opening a file, which names it."""
    with pytest.raises(BackendError, match=match) as caught:
        SQLiteBackend(path).open()
    assert str(path) in str(caught.value)
    assert not caught.value.transient
    return caught.value


def test_a_missing_folder_is_named_and_not_created(tmp_path: Path) -> None:
    """Say which folder to create."""
    fails_to_open(tmp_path / "missing" / "store.db", "create it")

    assert [] == list(tmp_path.iterdir())


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """Say that the path is a folder."""
    fails_to_open(tmp_path, "folder")


def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    """Change no byte of it."""
    path.write_text("something else entirely\n" * 100)

    fails_to_open(path, "no SQLite database")

    assert "something else entirely\n" * 100 == path.read_text()


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    """Recognise it by its tables, and change neither content nor journal mode."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()

    fails_to_open(path, "another program")

    assert before == path.read_bytes()
    assert [path] == list(path.parent.iterdir())


@pytest.mark.parametrize("pragma", ["application_id", "user_version"])
def test_an_empty_database_of_another_program_is_left_alone(path: Path, pragma: str) -> None:
    """Recognise it by the marks in its header."""
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA {pragma} = 77")
    before = path.read_bytes()

    fails_to_open(path, "another program")

    assert before == path.read_bytes()


def test_an_empty_file_becomes_a_database(path: Path) -> None:
    """Take what ``touch`` or a temporary file leaves."""
    path.touch()

    with closing(SQLiteBackend(path)) as backend:
        backend.open()

    assert b"SQLite format 3\0" == path.read_bytes()[:16]


def test_a_database_of_a_newer_release_is_refused_with_the_remedy(path: Path) -> None:
    """Touch nothing that a newer release may mean differently."""
    with closing(SQLiteBackend(path)) as backend:
        backend.open()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 999")

    fails_to_open(path, "upgrade")


def test_a_damaged_database_is_named_with_the_remedy(rig: Rig, path: Path) -> None:
    """Map what SQLite finds in the middle of a file."""
    hand = rig.start()
    for node in range(200):
        hand.must(*step(node, output=bytes(500)))
    rig.backend.close()
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xa5" * (path.stat().st_size - 8192))

    with pytest.raises(BackendError, match=r"damaged.*\.recover") as caught:
        rig.backend.results.steps(hand.run_id, limit=1000)

    assert str(path) in str(caught.value)


def test_a_file_that_may_only_be_read_is_named_with_the_remedy(open_folder: Path) -> None:
    """Say what permission is missing."""
    path = open_folder / "store.db"
    SQLiteBackend(path).open()
    path.chmod(0o444)
    open_folder.chmod(0o555)

    def work() -> None:
        with pytest.raises(BackendError, match="write permission") as caught:
            SQLiteBackend(path).sessions.register(
                NewSession(session_id=NOBODY, worker_id="w", ttl=TTL)
            )
        assert str(path) in str(caught.value)

    as_unprivileged_user(work)


def test_a_folder_that_may_only_be_read_is_named_with_the_remedy(open_folder: Path) -> None:
    """Say that the folder needs the permission, too."""
    path = open_folder / "store.db"
    open_folder.chmod(0o555)

    as_unprivileged_user(lambda: fails_to_open(path, "its folder") and None)


def test_a_session_needs_its_folder(rig: Rig, path: Path) -> None:
    """Refuse to register a session whose end nobody could prove."""
    rig.backend.open()
    Path(f"{path}.sessions").write_text("in the way")

    with pytest.raises(BackendError, match=r"\.sessions"):
        rig.session()

    assert rig.backend.sessions.view(NOBODY) is None


def test_a_lock_of_another_program_is_waited_for_and_then_explained(path: Path) -> None:
    """Give up after ``busy_timeout`` with a transient error that says what to look for."""
    backend = SQLiteBackend(path, busy_timeout="50ms")
    backend.open()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(BackendError, match="holds a transaction open") as caught:
            backend.signals.send(InstanceId("any"), "go", b"")
        reads = backend.signals.pending(InstanceId("any"))

    assert caught.value.transient
    assert "database is locked" not in str(caught.value)
    assert [] == reads
    assert 1 == backend.signals.send(InstanceId("any"), "go", b"")
    backend.close()
