"""What an attempt or a fork leaves behind holds no slot, no room and no memory of its worker."""

from __future__ import annotations

import asyncio
import gc
import threading
from time import monotonic

import pytest

from sayiir_core.authoring import Flow, task
from sayiir_runtime.memory.checkpoints import MemoryCheckpoints
from sayiir_runtime.memory.instances import MemoryInstances
from sayiir_runtime.runner.attempt import Attempt
from sayiir_runtime.worker.pace import Pace

LATE = 20.0


class PanicError(BaseException):
    """Like the panic of a native extension: no ``Exception``."""


class SilentError(Exception):
    """An error whose text cannot be read."""

    def __str__(self):
        raise PanicError


def idt(value):
    return value


def attempts(workflow_id):
    gc.collect()
    ours = [it for it in gc.get_objects() if type(it) is Attempt]
    return [it for it in ours if it.program.workflow_id == workflow_id]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_an_error_whose_text_panics_fails_its_step_and_keeps_no_slot(start, client, is_async):
    """Its thread goes on, or its only slot would be taken for ever."""

    def fail(value):
        raise SilentError

    async def afail(value):
        raise SilentError

    workflow = Flow("panics").then(afail if is_async else fail).build()
    quick = Flow("quick").then(idt).build()
    start(workflow, quick, concurrency=1)

    status = client.submit(workflow, "i", 1).wait(LATE)

    assert status.error.startswith("SilentError")
    assert 7 == client.submit(quick, "next", 7).result(LATE)


def test_an_exit_while_an_error_is_described_keeps_no_slot(start, client):
    """What even the description lets pass ends the step, not the thread."""

    class ExitingError(Exception):
        def __str__(self):
            raise SystemExit(3)

    def fail(value):
        raise ExitingError

    workflow = Flow("exits").then(fail).build()
    start(workflow, concurrency=1)

    assert client.submit(workflow, "i", 1).wait(LATE).is_failed()


def test_a_fork_that_cannot_be_stored_keeps_no_room_for_its_branches(start, client, monkeypatch):
    """It is kept for another try, and the worker claims on meanwhile."""
    monkeypatch.setattr(Pace, "most", lambda *_: 1000)
    fork = Flow("fork").then(idt).fork()
    for number in range(100):
        fork = fork.branch(task(f"b{number}")(idt))
    forks, quick = fork.join(len).build(), Flow("quick").then(idt).build()
    refused, is_mended = threading.Event(), threading.Event()
    commit = MemoryCheckpoints.commit

    def refuse(self, batch):
        if not is_mended.is_set() and any(it.lease.instance_id == "bad" for it in batch):
            refused.set()
            raise ValueError("a defect of an adapter")
        return commit(self, batch)

    monkeypatch.setattr(MemoryCheckpoints, "commit", refuse)
    start(forks, quick, concurrency=2)
    bad = client.submit(forks, "bad", 1)
    assert refused.wait(LATE)

    assert 7 == client.submit(quick, "next", 7).result(LATE)

    is_mended.set()
    assert 100 == bad.result(LATE)


@pytest.mark.parametrize("limit", [None, 3600.0], ids=["no limit", "long limit"])
def test_an_idle_worker_keeps_no_values_of_what_it_ran(start, client, until, limit):
    """Neither its resting threads nor its watch over limits do."""
    workflow = Flow("large").then(task("large", timeout=limit)(idt)).build()
    start(workflow, concurrency=2)
    for handle in [client.submit(workflow, f"i{number}", [number]) for number in range(20)]:
        handle.wait(LATE)

    until(lambda: not attempts("large"))


def test_a_slow_look_at_the_store_delays_no_timeout(start, client, monkeypatch):
    """The thread that asks about long bodies is not the one that ends those that run too long."""
    asked, go_on = threading.Event(), threading.Event()
    headers = MemoryInstances.headers

    def hang(self, ids):
        if threading.current_thread().name.endswith("-ask"):
            asked.set()
            assert go_on.wait(LATE)
        return headers(self, ids)

    @task(timeout=0.3)
    async def endless(value):
        await asyncio.sleep(3600)

    long = Flow("long").then(lambda _: go_on.wait(LATE)).build()
    short = Flow("short").then(endless).build()
    start(long, short, concurrency=2)
    monkeypatch.setattr(MemoryInstances, "headers", hang)
    client.submit(long, "long", 1)
    assert asked.wait(LATE)

    began = monotonic()
    ended = client.submit(short, "short", 1).wait(LATE)
    took = monotonic() - began
    go_on.set()

    assert ended.error.startswith("TaskTimeoutError")
    assert took < 5
