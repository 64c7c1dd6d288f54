"""Threads that wait for work keep nothing alive, and end with what they were made for."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sayiir_core.authoring import Flow
from sayiir_runtime.client import AsyncWorkflowClient, WorkflowClient
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.plugins import open_backend
from sayiir_runtime.runner.pool import ThreadPool
from sayiir_runtime.worker import PooledWorker

PATIENCE_SECONDS = 20.0


class Thing:
    """Something that can be watched."""


def until_gone(ref: weakref.ref[Any]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while ref() is not None:
        assert time.monotonic() < deadline, f"{ref()} is kept alive"
        gc.collect()
        time.sleep(0.01)


def test_an_idle_thread_keeps_nothing_of_its_last_job() -> None:
    """The values of a body must not outlive it by the time that nobody has work."""
    pool, ran = ThreadPool(1, "regression"), threading.Event()
    thing = Thing()

    def job(kept: Thing = thing) -> None:
        assert kept
        ran.set()

    pool.submit(job)
    assert ran.wait(PATIENCE_SECONDS)
    ref = weakref.ref(thing)
    del thing, job

    until_gone(ref)
    pool.close()


@dataclass
class Order:
    """A value that can be watched."""

    amount: int


def test_an_idle_worker_keeps_no_value_of_what_it_has_run() -> None:
    """A worker of 32 threads would keep the last 32 inputs, of any size, until it has more to do."""
    seen: list[weakref.ref[Any]] = []

    def look(order: Order) -> int:
        seen.append(weakref.ref(order))
        return order.amount

    flow = Flow[Order, int]("kept").then(look).build()
    backend = InMemoryBackend()
    with PooledWorker("w", backend).start([flow]):
        assert WorkflowClient(backend).submit(flow, "one", Order(3)).result("20s") == 3

        until_gone(seen[0])


def test_the_threads_for_event_loops_end_with_their_backend(tmp_path: Path) -> None:
    """A service that opens stores again and again must not collect eight threads for each."""
    flow = Flow[int, int]("idle").then(lambda value: value + 1).build()
    before = set(threading.enumerate())

    async def submit() -> weakref.ref[Any]:
        backend = open_backend(f"sqlite:///{tmp_path / 'store.db'}")
        await AsyncWorkflowClient(backend).submit(flow, "idle", 1)
        backend.close()
        return weakref.ref(backend)

    until_gone(asyncio.run(submit()))

    deadline = time.monotonic() + PATIENCE_SECONDS
    while left := {it for it in threading.enumerate() if "sayiir-store" in it.name} - before:
        assert time.monotonic() < deadline, f"{left} still wait for a store that is gone"
        time.sleep(0.01)
