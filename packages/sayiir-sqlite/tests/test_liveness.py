"""Proof of life by locked files."""

from __future__ import annotations

import gc
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sayiir_core.ports.ownership import Busy
from sayiir_pytest.conformance.child import in_forked_child
from sayiir_pytest.conformance.rig import Rig
from sayiir_sqlite import SQLiteBackend
from sayiir_sqlite.liveness import Life, SessionLocks


@pytest.fixture
def folder(path: Path) -> Path:
    """Return the folder of the lock files."""
    return Path(f"{path}.sessions")


def abandoned_session(rig: Rig) -> str:
    """Return a session whose process died: a child that registered it."""
    in_forked_child(lambda: rig.session(worker="abandoned") and None)
    with closing(sqlite3.connect(rig.backend.path)) as connection:
        row = connection.execute("SELECT session_id FROM sessions WHERE worker_id = 'abandoned'")
        return str(row.fetchone()[0])


def test_a_living_session_is_proved_alive_and_a_dead_one_is_not(rig: Rig) -> None:
    """Tell by the lock, whatever the lease says."""
    alive, dead = rig.session(), abandoned_session(rig)
    rig.clock.advance(3600)

    views = [rig.backend.sessions.view(it) for it in (alive, dead)]

    assert [(True, True), (True, False)] == [
        (view.alive, view.proved_alive) for view in views if view is not None
    ]


def test_a_busy_answer_tells_that_the_holder_is_proved_alive(rig: Rig) -> None:
    """Spare the caller a wait for a lease that will not run out."""
    hand = rig.start_owned()

    answer = rig.backend.ownership.own(rig.session(), hand.instance_id)

    assert isinstance(answer, Busy)
    assert answer.holder.proved_alive


def test_a_lock_file_of_another_host_proves_nothing(rig: Rig) -> None:
    """Leave a session of another machine to its lease."""
    dead = abandoned_session(rig)
    with closing(sqlite3.connect(rig.backend.path)) as connection, connection:
        connection.execute("UPDATE sessions SET host = 'elsewhere', boot = 'other'")
    reaper = rig.session()

    at_once = rig.backend.sessions.reap(reaper)
    for _ in range(4):
        rig.clock.advance(15)
        rig.backend.sessions.renew(reaper)

    assert [] == at_once
    assert [dead] == rig.backend.sessions.reap(reaper)


def test_a_missing_lock_file_proves_nothing(rig: Rig, folder: Path) -> None:
    """Leave a session to its lease where a database was copied without its folder."""
    rig.session()
    for file in folder.iterdir():
        file.unlink()

    assert [] == rig.backend.sessions.reap(rig.session())


def test_the_folder_goes_with_the_last_session(rig: Rig, folder: Path) -> None:
    """Leave nothing beside a database that nobody works on."""
    one, other = rig.session(), rig.session()

    counts = [len(list(folder.iterdir()))]
    rig.backend.sessions.end(one)
    counts.append(len(list(folder.iterdir())))
    rig.backend.sessions.end(other)

    assert [2, 1] == counts
    assert not folder.exists()


def test_reaping_removes_the_files_of_the_dead(rig: Rig, folder: Path) -> None:
    """Keep the caller's file, and remove what nobody holds, known or not."""
    abandoned_session(rig)
    (folder / "stray.lock").touch()
    reaper = rig.session()

    rig.backend.sessions.reap(reaper)

    assert 1 == len(list(folder.iterdir()))
    assert rig.backend.sessions.renew(reaper)


def test_a_backend_that_is_dropped_gives_up_its_sessions(rig: Rig, path: Path) -> None:
    """Free the locks with the object, as if its process had died."""
    dropped = Rig(lambda: SQLiteBackend(path, clock=rig.clock), rig.clock)
    session = dropped.session()
    del dropped
    gc.collect()

    reaped = rig.backend.sessions.reap(rig.session())

    assert [session] == reaped


def test_closing_ends_the_sessions_of_the_backend(rig: Rig) -> None:
    """Say good-bye in order: nothing is left to reap, and no death is charged."""
    hand = rig.start()
    rig.backend.close()

    view = rig.backend.sessions.view(hand.lease.session)

    assert view is not None
    assert not view.alive
    assert () == hand.cursor().deaths
    assert hand.cursor().session is None


def test_a_lock_tells_life_from_death(path: Path) -> None:
    """Answer for a held, a freed, a removed and an unknown file."""
    locks, others = SessionLocks(str(path)), SessionLocks(str(path))
    held, freed, dropped = locks.take(), locks.take(), others.take()
    seen = [others.probe(held)]

    others.drop(dropped)
    locks.forget()

    seen += [others.probe(it) for it in (freed, dropped, "never")]
    assert [Life.PROVED, Life.DISPROVED, Life.UNKNOWN, Life.UNKNOWN] == seen


def test_a_file_that_a_sweep_removes_while_it_is_made_is_made_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never hold a lock that nobody can see."""
    locks, sweeper = SessionLocks(str(path)), SessionLocks(str(path))
    create = SessionLocks._create
    swept: list[int] = []

    def create_and_sweep_once(self: SessionLocks, target: Path) -> int:
        descriptor = create(self, target)
        if not swept:
            swept.append(descriptor)
            sweeper.sweep(())
        return descriptor

    monkeypatch.setattr(SessionLocks, "_create", create_and_sweep_once)
    name = locks.take()

    assert swept
    assert Life.PROVED is sweeper.probe(name)
    locks.drop(name)
