"""Several processes on one file, and processes that die."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sayiir_core.ids import SessionId
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.rig import Rig
from sayiir_sqlite import SQLiteBackend

Child = subprocess.Popen[str]
Start = Callable[..., Child]

SECONDS = float(os.environ.get("SAYIIR_SQLITE_SECONDS", "2"))
"""How long the writers write; twenty to see what the documentation claims."""


def finish(child: Child, told: str = "") -> str:
    """Return what a child says until it ends well."""
    said, complaint = child.communicate(told, timeout=SECONDS + 120)
    assert (0, "") == (child.returncode, complaint)
    return said


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Return rows, read behind the adapter's back."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def check_integrity(path: Path) -> None:
    """Fail unless SQLite finds the file whole."""
    assert [("ok",)] == query(path, "PRAGMA integrity_check")


@pytest.mark.parametrize("attempt", range(2))
def test_a_file_can_be_used_first_by_many_processes_at_once(
    path: Path, start: Start, attempt: int
) -> None:
    """Create the schema once, and let everybody else wait for it."""
    children = [start("first_use", path) for _ in range(6)]
    for child in children:
        assert child.stdout is not None
        assert "ready\n" == child.stdout.readline()

    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        finish(child)

    assert [(6,)] == query(path, "SELECT count(*) FROM instances")
    check_integrity(path)


@pytest.mark.timeout(SECONDS * 2 + 240)
def test_four_processes_write_one_file_and_none_is_told_that_it_is_locked(
    path: Path, start: Start
) -> None:
    """Write without any error, and find all that was acknowledged."""
    children = [start("write", path, SECONDS) for _ in range(4)]

    acknowledged: dict[str, int] = {}
    for child in children:
        acknowledged |= json.loads(finish(child))

    stored = query(
        path, "SELECT run_id, count(*) FROM steps JOIN instances USING (run) GROUP BY run_id"
    )
    assert acknowledged == {run_id: count for run_id, count in stored}  # noqa: C416
    assert len(acknowledged) >= 4
    check_integrity(path)


def test_what_was_acknowledged_before_a_kill_is_there(path: Path, start: Start) -> None:
    """Kill a writer at any moment and find each step that it told of."""
    child = start("acknowledge", path)
    assert child.stdout is not None
    session = child.stdout.readline().strip()
    told = [child.stdout.readline() for _ in range(200)]

    child.kill()
    told += child.stdout.readlines()
    last = max(int(line) for line in told if line.endswith("\n"))
    child.wait()

    backend = SQLiteBackend(path)
    head = backend.instances.load("acknowledged")
    rows = backend.results.steps(head.header.run_id, limit=10**6).rows
    backend.close()
    assert len(rows) in {last + 1, last + 2}
    assert list(range(len(rows))) == [row.record.node for row in rows]
    assert {session} == {row.session for row in rows}
    assert len(rows) == head.cursors[0, ()].node
    check_integrity(path)


@pytest.fixture
def now_rig(path: Path) -> Iterator[Rig]:
    """Return a backend with the clock of the child processes, the system's."""
    rig = Rig(lambda: SQLiteBackend(path), VirtualClock())
    yield rig
    rig.close()


def test_what_a_killed_process_held_is_taken_over_at_once(
    now_rig: Rig, path: Path, start: Start
) -> None:
    """Reap it without waiting for its lease, and charge its death to what it held."""
    rig = now_rig
    child = start("hold", path)
    assert child.stdout is not None
    held_by = child.stdout.readline().strip()
    reaper = rig.session()
    before = rig.backend.sessions.reap(reaper)
    child.kill()
    child.wait()

    after = rig.backend.sessions.reap(reaper)
    rig.own(reaper, rig.load("held").header.instance_id)
    (hand,) = rig.claim_owned(reaper, rig.load("held").header.instance_id)

    assert ([], [held_by]) == (before, after)
    assert (held_by,) == hand.claim.cursor.deaths


def test_a_child_that_outlives_its_parent_does_not_keep_its_session(
    now_rig: Rig, path: Path, start: Start
) -> None:
    """Close an inherited lock in the child, so that the parent's death is seen."""
    parent = start("hold_with_child", path)
    assert parent.stdout is not None
    held_by = parent.stdout.readline().strip()
    parent.wait()

    # The child may not have had its first turn yet: it closes the lock as soon as it runs.
    deadline = time.monotonic() + 10
    reaper = now_rig.session()
    reaped: list[SessionId] = []
    while not reaped and time.monotonic() < deadline:
        reaped = now_rig.backend.sessions.reap(reaper)

    assert [held_by] == reaped
