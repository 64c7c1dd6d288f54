"""Runners, workers and clients beside a server, or a part of one, that is there and says nothing."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sayiir import Flow, PostgresBackend, run_durable_workflow
from sayiir_core.ids import check_instance_id
from sayiir_pytest.proxy import Proxy
from sayiir_runtime.client import WorkflowClient
from sayiir_runtime.runner.lease import keeper_of
from sayiir_runtime.worker import PooledWorker, WorkerHandle

LATE = 40.0
TIMEOUT = 0.5


def wait_for(condition: Callable[[], Any]) -> None:
    """Wait until something holds."""
    until = time.monotonic() + LATE
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)


class Stage:
    """Stores over one database, each with a name by which its server processes are found."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._opened: list[PostgresBackend] = []
        self._handles: list[WorkerHandle] = []
        self._frozen: set[int] = set()
        self._frozen_at = 0.0
        self.calls: Counter[str] = Counter()
        self.client = WorkflowClient(self.open("observer"))

    def open(self, name: str, dsn: str | None = None) -> PostgresBackend:
        """Open the store once more, as another process would."""
        own = make_conninfo(dsn or self._dsn, application_name=name)
        self._opened.append(PostgresBackend(own, call_timeout=TIMEOUT))
        return self._opened[-1]

    def employ(
        self, *flows: Any, store: PostgresBackend | None = None, **options: Any
    ) -> WorkerHandle:
        """Start the worker, whose server processes are named ``worker``."""
        worker = PooledWorker("w", store or self.open("worker"), claim_ttl="4s", **options)
        self._handles.append(worker.start(flows))
        return self._handles[-1]

    def pids(self, *names: str) -> set[int]:
        """Return the server's processes for connections with these names."""
        with psycopg.connect(self._dsn) as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE application_name = ANY(%s)"
            rows = connection.execute(query, ([*names],))
            return {pid for (pid,) in rows.fetchall()}

    def freeze(self, name: str) -> None:
        """Stop all server processes that a store has now: the kernel answers, and they do not."""
        found = self.pids(name, f"{name} listener", f"{name} notifier")
        assert found
        self._frozen |= found
        for pid in found:
            os.kill(pid, signal.SIGSTOP)
        self._frozen_at = time.monotonic()

    def thaw(self) -> None:
        """Let them execute what they were sent, once nobody waits for the answer any more."""
        time.sleep(max(0.0, self._frozen_at + 2 * TIMEOUT - time.monotonic()))
        for pid in self._frozen:
            os.kill(pid, signal.SIGCONT)
        frozen, self._frozen = self._frozen, set()
        wait_for(lambda: frozen - self.pids("worker", "runner", "worker listener"))

    def before_first(self, port: Any, method: str, act: Callable[[], None]) -> None:
        """Do something just before the first call of a method."""
        call = getattr(port, method)

        def first(*args: Any) -> Any:
            setattr(port, method, call)
            act()
            return call(*args)

        setattr(port, method, first)

    def holders(self, instance_id: str) -> set[str]:
        """Return the sessions that hold a run's cursors."""
        head = self._opened[0].instances.load(check_instance_id(instance_id))
        return {it.session for it in head.cursors.values() if it.session is not None}

    def called(self, name: str, value: int) -> int:
        """Be a body."""
        self.calls[name] += 1
        return value + 1

    def records(self, instance_id: str) -> list[str]:
        """Return how each step ended, as recorded."""
        return [row.record.status.value for row in self.client.history(instance_id).rows]

    def close(self) -> None:
        """End everything."""
        for pid in self._frozen:
            os.kill(pid, signal.SIGCONT)
        for handle in self._handles:
            handle.abort()
        ended = [handle.join(LATE) for handle in self._handles]
        for backend in self._opened:
            keeper_of(backend).close()
            backend.close()
        assert all(ended)


@pytest.fixture
def stage(postgres_database: str) -> Iterator[Stage]:
    """Give a stage on a database of its own."""
    stage = Stage(postgres_database)
    yield stage
    stage.close()


def three_steps(stage: Stage, name: str) -> Any:
    """Return a workflow whose second body freezes the store of that name."""

    def second(value: int) -> int:
        stage.freeze(name)
        return stage.called("second", value)

    return (
        Flow[int, int]("three")
        .then(lambda value: stage.called("first", value), name="first")
        .then(second)
        .then(lambda value: stage.called("third", value), name="third")
        .build()
    )


def test_a_runner_goes_on_past_a_connection_that_stalls_at_its_commit(stage: Stage) -> None:
    """Record each step once, also after what was not answered is executed late."""
    flow = three_steps(stage, "runner")
    started = time.monotonic()

    status = run_durable_workflow(flow, "frozen", 1, stage.open("runner"))

    took = time.monotonic() - started
    stage.thaw()
    assert ("completed", 4) == (status.status, status.output)
    assert took < 10
    assert {"first": 1, "second": 1, "third": 1} == stage.calls
    assert ["succeeded"] * 3 == stage.records("frozen")


def test_a_worker_goes_on_past_connections_that_stall(stage: Stage) -> None:
    """Commit, claim and hear on others, and run each body once."""
    flow = three_steps(stage, "worker")
    handle = stage.employ(flow)

    first = stage.client.submit(flow, "frozen", 1).result(LATE)
    second = stage.client.submit(flow, "again", 1).result(LATE)
    stage.thaw()
    third = stage.client.submit(flow, "thawed", 1).result(LATE)
    stage.freeze("worker")
    handle.shutdown()
    started = time.monotonic()
    ended = handle.join(LATE)

    assert ended
    assert time.monotonic() - started < 10
    assert [4, 4, 4] == [first, second, third]
    assert {"first": 3, "second": 3, "third": 3} == stage.calls
    for instance_id in ("frozen", "again", "thawed"):
        assert ["succeeded"] * 3 == stage.records(instance_id)


def test_a_claim_that_is_executed_late_strands_nothing(stage: Stage) -> None:
    """Look after what the store says is held here, since nobody was told of this claim."""
    begun, go_on = threading.Event(), threading.Event()

    def block(value: int) -> int:
        begun.set()
        assert go_on.wait(LATE)
        return value

    blocker = Flow[int, int]("blocker").then(block).build()
    flow = Flow[int, int]("late").then(lambda value: stage.called("late", value), name="n").build()
    store = stage.open("worker")
    stage.before_first(store.claims, "claim", lambda: stage.freeze("worker"))
    stage.employ(blocker, flow, store=store, concurrency=1)
    blocked = stage.client.submit(blocker, "blocker", 1)
    assert begun.wait(LATE)
    late = stage.client.submit(flow, "late", 1)

    stage.thaw()
    wait_for(lambda: stage.holders("late"))
    go_on.set()

    assert (1, 2) == (blocked.result(LATE), late.result(LATE))
    assert {"late": 1} == stage.calls


def test_a_client_that_waits_hears_of_the_end_past_a_connection_that_stalls(stage: Stage) -> None:
    """Ask again on another connection, while somebody waits for a result."""
    go_on = threading.Event()

    def wait(value: int) -> int:
        assert go_on.wait(LATE)
        return value + 1

    flow = Flow[int, int]("awaited").then(wait).build()
    stage.employ(flow)
    submitted = WorkflowClient(stage.open("waiting")).submit(flow, "awaited", 1)
    results: list[Any] = []
    waiter = threading.Thread(target=lambda: results.append(submitted.result(LATE)))
    waiter.start()
    wait_for(lambda: stage.pids("waiting") and stage.pids("waiting listener"))

    stage.freeze("waiting")
    go_on.set()
    waiter.join(LATE)

    assert [2] == results


@pytest.mark.slow
def test_a_worker_ends_beside_a_network_that_swallows_everything(stage: Stage) -> None:
    """Drain with a result that nobody takes, and leave it to others."""
    port = int(conninfo_to_dict(stage._dsn)["port"])
    with Proxy("127.0.0.1", port) as proxy:
        dsn = re.sub(rf":{port}/", f":{proxy.port}/", stage._dsn)

        def stall(value: int) -> int:
            stage.calls["stall"] += 1
            if stage.calls["stall"] == 1:
                proxy.stall()
            return value + 1

        flow = Flow[int, int]("stalled").then(stall).build()
        handle = stage.employ(flow, store=stage.open("worker", dsn))
        submitted = stage.client.submit(flow, "stalled", 1)
        wait_for(lambda: stage.calls["stall"])
        started = time.monotonic()
        handle.abort()
        ended = handle.join(LATE)
        took = time.monotonic() - started

    assert ended
    assert took < 25, took
    stage.employ(flow)
    assert 2 == submitted.result(LATE)
    assert {"stall": 2} == stage.calls
    assert ["succeeded"] == stage.records("stalled")
