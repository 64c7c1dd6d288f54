"""SEMANTICS 47, and what a lease is for: workers that die, that stop, and that take their time.

Where a store can prove that a process of its own host is gone, nobody waits for the lease: that is
the first test. In the others the proof is hidden, by a session row that tells of another machine, or
there is none, because the process is not dead but stopped: the lease alone decides.
"""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from sayiir import Flow, WorkflowClient
from tests.semantics.victim import workflow

ROOT = Path(__file__).parents[2]
LATE = 40.0
SLACK = timedelta(seconds=0.8)
"""What a busy machine may take for a claim and for the start of a body."""


class Accident:
    """A victim whose task runs, and a survivor of this process that serves the same lane."""

    def __init__(self, store, folder, iid, start_worker, eventually):
        self.store, self.folder, self.iid = store, folder, iid
        self.started_at = []
        self.workflow = workflow(folder, "survivor", self._note)
        self.client = WorkflowClient(store.backend)
        self._start_worker, self._eventually = start_worker, eventually
        self._process = None

    def _note(self):
        self.started_at.append(self.store.backend.now())

    @property
    def session(self):
        """Return what the store knows of the victim's session."""
        live = self.store.backend.sessions.live()
        return next((each for each in live if each.worker_id == "victim"), None)

    def begin(self, ttl, *, poll, heartbeat):
        """Bring the victim into its task, and the survivor to a steady life beside it."""
        backend = self.store.backend
        url = self.store.address or f"sqlite:///{backend.path}"
        command = [sys.executable, "-m", "tests.semantics.victim", url, str(self.folder), str(ttl)]
        self._process = subprocess.Popen(command, cwd=ROOT)
        handle = self.client.submit(self.workflow, self.iid, "it")
        self._eventually((self.folder / "victim").exists, LATE)
        self._start_worker(
            backend,
            self.workflow,
            name="survivor",
            claim_ttl=ttl,
            heartbeat_interval=heartbeat,
            poll_interval=poll,
        )
        return handle

    def be_steady(self, ttl):
        """Let the survivor renew for one whole lease."""
        threading.Event().wait(ttl + 2 * ttl / 4)

    def kill(self):
        """Kill the victim and return its session, as it was renewed last."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(LATE)
        return self.session

    def resume(self):
        """Let a stopped victim go on, and wait until it has ended in good order."""
        (self.folder / "go").touch()
        self._process.send_signal(signal.SIGCONT)
        assert 0 == self._process.wait(LATE)

    def close(self):
        """Leave no process behind."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(LATE)

    def hide_proof(self, session):
        """Make the session's row tell of another machine, about whose processes nothing is known."""
        if self.store.kind == "postgres":
            with psycopg.connect(self.store.address) as connection:
                connection.execute(
                    "UPDATE sayiir.sessions SET kernel = 'elsewhere' WHERE session_id = %s",
                    (session.session_id,),
                )
        else:
            connection = sqlite3.connect(self.store.backend.path, timeout=LATE)
            with connection:
                connection.execute(
                    "UPDATE sessions SET host = 'elsewhere', boot = '' WHERE session_id = ?",
                    (session.session_id,),
                )
            connection.close()


@pytest.fixture(params=["sqlite", "postgres"])
def shared(request, make_store):
    """Give each store that several processes can share."""
    return make_store(request.param)


@pytest.fixture
def accident(shared, tmp_path, iid, start_worker, eventually):
    accident = Accident(shared, tmp_path, iid, start_worker, eventually)
    yield accident
    accident.close()


def test_case_47_a_death_on_this_host_is_proved_and_costs_no_lease(accident):
    """With a lease of ten minutes the task runs again within seconds, and is counted as a death."""
    handle = accident.begin(600, poll=0.2, heartbeat=0.3)

    accident.kill()
    output = handle.result(LATE)

    assert "it, started by victim, run by survivor" == output
    assert 1 == len(accident.started_at)


def test_case_47_a_death_elsewhere_is_noticed_by_the_lease_and_not_before(accident):
    """With ``claim_ttl=3`` a steady worker has the task within ttl + poll of the last heartbeat.

    Its own heartbeat has nothing to do with that: it could be 1.5 s later.
    """
    ttl, poll = timedelta(seconds=3), timedelta(seconds=0.1)
    handle = accident.begin(3, poll=0.1, heartbeat=1.5)
    accident.be_steady(3)
    accident.hide_proof(accident.session)

    session = accident.kill()
    output = handle.result(LATE)
    (started_at,) = accident.started_at

    assert "it, started by victim, run by survivor" == output
    assert session.proved_alive is False
    assert ttl < started_at - session.renewed_at < ttl + poll + SLACK


def test_a_stopped_worker_loses_its_task_and_its_late_result_changes_nothing(accident):
    """It finds out when it goes on, works on under a new session, and has changed nothing."""
    (accident.folder / "stop").touch()
    handle = accident.begin(1.5, poll=0.2, heartbeat=0.3)

    output = handle.result(LATE)
    accident.resume()
    late = (accident.folder / "late").read_text()

    assert "it, started by victim, run by survivor" == output
    assert 1 == len(accident.started_at)
    # The first of three steps; the second was started, and is nobody's any more.
    assert "'started': 2, 'succeeded': 1," in late
    assert output == handle.status().output


def test_a_task_of_ten_leases_runs_once_beside_a_steady_worker(shared, iid, start_worker):
    """The heartbeat is not the task's business; somebody stands by who would take it over."""
    calls = []

    def long(value):
        calls.append(threading.current_thread().name)
        time.sleep(10)
        return value

    flow = Flow("long").then(long).build()
    for number in (1, 2):
        start_worker(shared.again(), flow, name=f"w{number}", claim_ttl=1)

    assert 7 == WorkflowClient(shared.backend).submit(flow, iid, 7).result(LATE)
    assert 1 == len(calls)
