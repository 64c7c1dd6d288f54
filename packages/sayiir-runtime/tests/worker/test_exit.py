"""Workers at the end of their interpreter: it ends in time, and what was acknowledged is kept."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from sayiir_core.authoring import Flow
from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.head import Head, InstanceState
from sayiir_runtime.worker import PooledWorker

LATE = 30.0

PROGRAM = """
import atexit, asyncio, sys, threading, time
from sayiir_core.authoring import Flow
from sayiir_runtime.api import run_durable_workflow
from sayiir_runtime.client import WorkflowClient
from sayiir_runtime.worker import PooledWorker
from sayiir_sqlite import SQLiteBackend

backend = SQLiteBackend(sys.argv[1])
client = WorkflowClient(backend)

def inc(value):
    return value + 1

async def inc_soon(value):
    return value + 1

def hang(value):
    time.sleep(600)

async def wait(value):
    await asyncio.sleep(600)

quick = Flow("quick").then(inc).then(inc_soon).build()
hanging = Flow("hanging").fork().branch(hang).branch(wait).join(lambda got: got).build()
forked = Flow("forked").fork().branch(inc).branch(inc_soon).join(lambda got: got).build()

def start():
    return PooledWorker("w", backend).start([quick, hanging, forked])
"""

STILL_RUNNING = """
worker = start()
assert client.submit(quick, "quick", 1).result(20) == 3
client.submit(hanging, "hanging", 1)
while len(worker.report().running) < 2:
    time.sleep(0.01)
"""

STARTED_AT_EXIT = """
def late():
    try:
        start()
    except RuntimeError:
        pass

atexit.register(late)
client.submit(quick, "quick", 1)
"""

WORK_AT_EXIT = """
worker = start()

def late():
    for n in range(3):
        client.submit(quick, f"late-{n}", n)
    try:
        run_durable_workflow(forked, "forked", 1, backend)
    except RuntimeError:
        pass

atexit.register(late)
client.submit(quick, "quick", 1)
"""

A_THREAD_GOES_ON = """
worker = start()

def linger():
    threading.main_thread().join()
    for n in range(3):
        client.submit(quick, f"late-{n}", n)
        time.sleep(0.2)

threading.Thread(target=linger).start()
"""


def _heads(path: Path) -> tuple[dict[str, Head], int]:
    """Return the heads that a process has left, and the number of live sessions."""
    from sayiir_core.ports.instances import InstanceQuery
    from sayiir_sqlite import SQLiteBackend

    backend = SQLiteBackend(path)
    try:
        headers = backend.instances.select(InstanceQuery()).headers
        heads = {it.instance_id: backend.instances.load(it.instance_id) for it in headers}
        return {str(key): head for key, head in heads.items()}, len(backend.sessions.live())
    finally:
        backend.close()


@pytest.mark.parametrize(
    ("program", "instances"),
    [
        (STILL_RUNNING, 2),
        (STARTED_AT_EXIT, 1),
        (WORK_AT_EXIT, 4),
        (A_THREAD_GOES_ON, 3),
    ],
    ids=["still running", "started at exit", "work at exit", "a thread goes on"],
)
def test_an_interpreter_with_a_worker_ends_and_leaves_nothing_behind(
    tmp_path: Path, program: str, instances: int
) -> None:
    """Each instance is done or free for others, charged with nothing, and no session lives on."""
    path = tmp_path / "exit.db"
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM + program, str(path)],
        timeout=LATE,
        check=True,
        capture_output=True,
        text=True,
    )

    heads, sessions = _heads(path)

    assert "ignored in" not in ended.stderr
    assert "cannot join thread" not in ended.stderr
    # A call that got no thread for its heartbeat has left nothing at all.
    assert instances <= len(heads)
    assert 0 == sessions
    for head in heads.values():
        held = [it for it in head.cursors.values() if it.session is not None or it.deaths]
        assert ([], None) == (held, head.header.owner)


def test_what_was_acknowledged_before_the_end_is_there_after_it(tmp_path: Path) -> None:
    path = tmp_path / "exit.db"

    subprocess.run(
        [sys.executable, "-c", PROGRAM + STILL_RUNNING, str(path)], timeout=LATE, check=True
    )

    heads, _ = _heads(path)
    assert InstanceState.COMPLETED is heads["quick"].header.state
    assert InstanceState.RUNNING is heads["hanging"].header.state


@pytest.mark.parametrize("missing", ["claim", "commit-1", "commit-2", "clerk"])
def test_a_worker_that_gets_no_threads_does_not_start(
    monkeypatch: pytest.MonkeyPatch, backend: Any, client: Any, until: Any, missing: str
) -> None:
    """One that claims and cannot commit would keep its work from all others."""
    plain = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == f"sayiir-poor-{missing}":
            raise RuntimeError("can't start new thread")
        plain(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    workflow = Flow("w").then(lambda value: value).build()
    client.submit(workflow, "i", 1)

    with pytest.raises(RuntimeError):
        PooledWorker("poor", backend).start([workflow])

    until(lambda: not [it for it in threading.enumerate() if "sayiir-poor" in it.name])
    assert [] == backend.sessions.live()
    assert not backend.instances.load(InstanceId("i")).executing


def test_a_session_whose_heartbeat_cannot_start_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each try once left another session that looked alive until its lease had expired."""
    from sayiir_runtime.runner.lease import SessionKeeper
    from sayiir_sqlite import SQLiteBackend

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    backend = SQLiteBackend(tmp_path / "lease.db")
    keeper = SessionKeeper(backend)
    monkeypatch.setattr(threading.Thread, "start", refuse)

    for _ in range(3):
        with pytest.raises(RuntimeError):
            keeper.session()

    assert [] == backend.sessions.live()
    backend.close()
