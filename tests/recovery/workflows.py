"""Workflows that are killed: every call of a body is noted in a file before it does anything.

A line of the file is the idempotency key of the step and the path of its task. It is on the disk
before the body goes on, so whatever the store has recorded is in it.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from sayiir import Flow, LoopResult, RetryPolicy, get_task_context, task

LOG = "RECOVERY_LOG"
KILL_IN_BODY = "RECOVERY_KILL_IN_BODY"
MARKERS = "RECOVERY_MARKERS"
PATIENCE = 30.0

_called = [0]


def note():
    """Note that a body was called, and die here if this is the chosen call."""
    context = get_task_context()
    line = f"{context.idempotency_key} {context.task_path}\n"
    handle = os.open(os.environ[LOG], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, line.encode())
    os.fsync(handle)
    os.close(handle)
    _called[0] += 1
    if os.environ.get(KILL_IN_BODY) == str(_called[0]):
        die()


def die():
    """End this process as ``kill -9`` does."""
    os.kill(os.getpid(), signal.SIGKILL)


def marker(name):
    """Return a file by which processes tell each other how far they are."""
    return Path(os.environ[MARKERS]) / name


def wait_for(name):
    """Wait until a marker is there."""
    deadline = time.monotonic() + PATIENCE
    while not marker(name).exists():
        assert time.monotonic() < deadline, f"nobody made {name}"
        time.sleep(0.005)


def inc(value):
    note()
    return value + 1


def dbl(value):
    note()
    return value * 2


def total(got):
    note()
    return sum(got.values())


def big(value):
    note()
    return {"value": value, "ballast": ["x" * 1000] * 200}


def small(value):
    note()
    return value["value"]


@task(retries=RetryPolicy(3, 0.01))
def flaky(value):
    note()
    if get_task_context().attempt < 3:
        raise ValueError("not yet")
    return value + 1


def turn(value):
    note()
    return LoopResult.done(value) if value % 5 == 0 else LoopResult.again(value + 1)


def parity(value):
    note()
    return "odd" if value % 2 else "even"


def opened(envelope):
    note()
    return envelope["result"]


def held(value):
    """Tell that it runs, and go on when it may."""
    note()
    marker("entered").touch()
    wait_for("leave")
    return value + 1


def poison(value):
    """Kill the process once the neighbour runs."""
    note()
    wait_for("innocent")
    die()


def alone_poison(value):
    """Kill the process."""
    note()
    die()


def innocent(value):
    """Take its time, but end."""
    note()
    marker("innocent").touch()
    time.sleep(0.3)
    return value + 1


def linear():
    flow = Flow("linear").then(inc).then(big).then(small)
    return flow.then(dbl).then(inc, name="last").build()


def forked():
    inner = Flow("inner").fork().branch(inc).branch(dbl).join(total).build()
    return (
        Flow("forked")
        .then(inc)
        .fork()
        .branch(inc, dbl, name="a")
        .branch(dbl, name="b")
        .branch(inner, name="c")
        .join(total)
        .then(dbl, name="last")
        .build()
    )


def repeated():
    return (
        Flow("repeated")
        .loop(turn)
        .route(parity, keys=["odd", "even"])
        .branch("odd", inc, dbl)
        .branch("even", dbl)
        .done()
        .then(opened)
        .loop(turn, name="again")
        .build()
    )


def retried():
    return (
        Flow("retried")
        .then(inc)
        .then(flaky)
        .fork()
        .branch(flaky, name="f")
        .branch(inc, name="g")
        .join(total)
        .build()
    )


def parked():
    return (
        Flow("parked")
        .then(inc)
        .delay("nap", 0.02)
        .then(dbl)
        .wait_for_signal("go")
        .fork()
        .branch(Flow("d").delay("doze", 0.02).then(inc).build(), name="d")
        .branch(dbl, name="e")
        .join(total)
        .build()
    )


def holding():
    return Flow("holding").then(inc).then(held).then(dbl).build()


def poisoned():
    return Flow("poisoned").then(inc).then(alone_poison).then(dbl).build()


def poisoned_branch():
    return (
        Flow("poisoned_branch").then(inc).fork().branch(poison).branch(innocent).join(total).build()
    )


EXPECTED = {"linear": 13, "forked": 90, "repeated": 15, "retried": 16, "parked": 31}
"""What each workflow of this module that ends makes of 5; ``parked`` is sent 10."""
