"""Parts for child processes of the tests, by name: ``python child.py <part> <path> …``."""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
import uuid
from datetime import timedelta

from sayiir_core.authoring import Flow
from sayiir_core.errors import BackendError
from sayiir_core.ids import InstanceId, RunId, SessionId
from sayiir_core.ports.instances import Created, NewInstance
from sayiir_core.ports.sessions import NewSession
from sayiir_core.ports.wakeup import HintKind
from sayiir_core.snapshot.answer import COMMITTED
from sayiir_core.snapshot.effect import Checkpoint, Lease, Move, Record
from sayiir_core.snapshot.reference import StepRef
from sayiir_core.snapshot.step import StepRecord, StepStatus
from sayiir_sqlite import SQLiteBackend

DEFINITION = Flow("child").then(abs).build().definition


def hold_a_run(backend: SQLiteBackend, instance_id: str) -> Lease:
    """Register a session, create a run that it owns, and return the lease of its cursor."""
    backend.definitions.save(DEFINITION)
    session = SessionId(uuid.uuid4().hex)
    backend.sessions.register(
        NewSession(session_id=session, worker_id="child", ttl=timedelta(hours=1))
    )
    new = NewInstance(
        instance_id=InstanceId(instance_id),
        run_id=RunId(str(uuid.uuid4())),
        identity=DEFINITION.identity,
        policy_fingerprint=DEFINITION.policy_fingerprint,
        input=b"in",
        node=0,
        group="",
        priority=3,
        owner=session,
    )
    (created,) = backend.instances.create([new])
    assert isinstance(created, Created)
    assert created.claim is not None
    return created.claim.lease


def commit(backend: SQLiteBackend, lease: Lease, node: int, output: bytes = b"out") -> None:
    """Commit the success of a node, each in its turn, and the move to the next one."""
    record = StepRecord(node=node, turns=(), attempt=1, status=StepStatus.SUCCEEDED, output=output)
    move = Move(node + 1, (), StepRef(node), "", 3)
    assert [COMMITTED] == backend.checkpoints.commit(
        [Checkpoint(lease, node, (Record(record), move))]
    )


def say(line: str) -> None:
    """Tell the test something at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def first_use(path: str) -> None:
    """Use a file for the first time at the moment when the test says so."""
    backend = SQLiteBackend(path)
    say("ready")
    sys.stdin.readline()
    hold_a_run(backend, uuid.uuid4().hex)
    backend.close()


def write(path: str, seconds: str) -> None:
    """Commit steps of many runs for some time; tell how many of each run were acknowledged."""
    backend = SQLiteBackend(path)
    acknowledged: dict[str, int] = {}
    until = time.monotonic() + float(seconds)
    while time.monotonic() < until:
        lease = hold_a_run(backend, uuid.uuid4().hex)
        for node in range(20):
            commit(backend, lease, node)
        acknowledged[lease.run_id] = 20
        backend.sessions.end(lease.session)
    backend.close()
    say(json.dumps(acknowledged))


def acknowledge(path: str) -> None:
    """Commit steps of one run for ever, and tell of each after it was acknowledged."""
    backend = SQLiteBackend(path)
    lease = hold_a_run(backend, "acknowledged")
    say(lease.session)
    node = 0
    while True:
        commit(backend, lease, node)
        say(str(node))
        node += 1


def hold(path: str) -> None:
    """Hold a run until the end."""
    backend = SQLiteBackend(path)
    say(hold_a_run(backend, "held").session)
    sys.stdin.read()


def hold_with_child(path: str) -> None:
    """Hold a run, and have a child that outlives this process."""
    backend = SQLiteBackend(path)
    lease = hold_a_run(backend, "held")
    if os.fork() == 0:
        sys.stdin.read()
        os._exit(0)
    say(lease.session)
    os.kill(os.getpid(), 9)


def send_when_told(path: str) -> None:
    """Send a signal at the moment when the test says so."""
    backend = SQLiteBackend(path)
    backend.open()
    say("ready")
    sys.stdin.readline()
    backend.signals.send(InstanceId("nobody"), "go", b"")
    sys.stdin.read()


def listen_and_end(path: str) -> None:
    """Subscribe, wait for the first hint, and come to the end of the program."""
    backend = SQLiteBackend(path)
    backend.open()
    hinted = threading.Event()
    backend.wakeup.subscribe(HintKind.CLAIMABLE, hinted.set)
    assert hinted.wait(60)
    say("listening")


def outgrow(path: str, limit: str) -> None:
    """Commit steps until a file may not grow any more; tell how many were acknowledged."""
    backend = SQLiteBackend(path)
    lease = hold_a_run(backend, "outgrown")
    node = 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    try:
        while True:
            commit(backend, lease, node, bytes(1000))
            node += 1
    except BackendError as error:
        say(json.dumps({"acknowledged": node, "error": str(error)}))
    os._exit(0)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
