"""The orders of events that stranded work elsewhere, each made to happen on a real server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sayiir import Flow, PostgresBackend
from sayiir_core.errors import BackendError
from sayiir_core.ids import check_instance_id
from sayiir_runtime.client import WorkflowClient
from sayiir_runtime.worker import PooledWorker, WorkerHandle

LATE = 40.0
Around = Callable[[Callable[[], Any]], Any]


class Disturbed:
    """A backend whose calls go through ``around["port.method"]`` where a test sets one."""

    def __init__(self, backend: PostgresBackend) -> None:
        self.plain = backend
        self.around: dict[str, Around] = {}

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.plain, name)
        is_port = name in {"claims", "checkpoints", "sessions"}
        return _Port(self.around, name, value) if is_port else value


class _Port:
    def __init__(self, around: dict[str, Around], name: str, port: Any) -> None:
        self._around, self._name, self._port = around, name, port

    def __getattr__(self, method: str) -> Any:
        call, name = getattr(self._port, method), f"{self._name}.{method}"
        if not callable(call):
            return call

        def made(*args: Any, **kwargs: Any) -> Any:
            around = self._around.get(name)
            return (
                call(*args, **kwargs) if around is None else around(lambda: call(*args, **kwargs))
            )

        return made


class Stage:
    """Workers over one database, each with connections of its own."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._opened: list[PostgresBackend] = []
        self._handles: list[WorkerHandle] = []
        self.client = WorkflowClient(self.open())

    def open(self, **options: Any) -> PostgresBackend:
        """Open the store once more, as another process would."""
        self._opened.append(PostgresBackend(self._dsn, **options))
        return self._opened[-1]

    def disturbed(self) -> Disturbed:
        """Open the store with calls that the test can disturb."""
        return Disturbed(self.open())

    def employ(self, *workflows: Any, name: str, store: Any = None, **options: Any) -> WorkerHandle:
        """Start a worker."""
        worker = PooledWorker(name, store or self.open(), **{"claim_ttl": "2s", **options})
        self._handles.append(worker.start(workflows))
        return self._handles[-1]

    def pending(self, instance_id: str) -> list[Any]:
        """Return the signals that nothing has consumed."""
        return list(self._opened[0].signals.pending(check_instance_id(instance_id)))

    def close(self) -> None:
        """End everything."""
        for handle in self._handles:
            handle.abort()
        ended = [handle.join(LATE) for handle in self._handles]
        for backend in self._opened:
            backend.close()
        assert all(ended)


@pytest.fixture
def stage(postgres_database: str) -> Iterator[Stage]:
    """Give a stage on a database of its own."""
    stage = Stage(postgres_database)
    yield stage
    stage.close()


class Bodies:
    """Counts what ran."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def step(self, value: int) -> int:
        """Run quickly."""
        self.calls.append(value)
        return value + 1


def wait_for(condition: Callable[[], Any], late: float = LATE) -> None:
    """Wait until something holds."""
    until = time.monotonic() + late
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)


def test_pause_before_start(stage: Stage) -> None:
    bodies = Bodies()
    flow = Flow[int, int]("paused").then(bodies.step).build()
    handle = stage.client.submit(flow, "paused", 1)
    stage.client.pause("paused")
    bystander = stage.client.submit(flow, "bystander", 5)
    stage.employ(flow, name="w")

    assert bystander.result(LATE) == 6
    assert (stage.client.status("paused").status, bodies.calls) == ("paused", [5])
    stage.client.unpause("paused")

    assert handle.result(LATE) == 2
    assert bodies.calls == [5, 1]


def test_lease_lost_during_a_commit(stage: Stage) -> None:
    bodies = Bodies()
    flow = Flow[int, int]("lost").then(bodies.step).build()
    store, sent, go_on = stage.disturbed(), threading.Event(), threading.Event()

    def hang(call: Callable[[], Any]) -> Any:
        sent.set()
        assert go_on.wait(LATE)
        return call()

    def fail(_: Callable[[], Any]) -> Any:
        raise BackendError("cut off (by the test)", transient=True)

    store.around["checkpoints.commit"] = hang
    first = stage.employ(flow, name="first", store=store)
    handle = stage.client.submit(flow, "lost", 1)
    assert sent.wait(LATE)
    # A suspended machine: its process exists, so only the lease can tell.
    store.around["sessions.renew"] = fail
    second = stage.employ(flow, name="second")

    assert handle.result(LATE) == 2
    store.around.clear()
    go_on.set()
    wait_for(lambda: first.report().counts["refused"] == 1)

    assert bodies.calls == [1, 1]
    assert second.report().counts["succeeded"] == 1
    rows = stage.client.history("lost").rows
    assert [row.record.status.value for row in rows] == ["succeeded"]


def test_deadline_against_signal(stage: Stage) -> None:
    flow = Flow[Any, Any]("race").wait_for_signal("go", timeout=0.4, on_timeout="deadline").build()
    stage.employ(flow, name="w0")
    stage.employ(flow, name="w1")
    handles = [stage.client.submit(flow, f"race-{n}", None) for n in range(60)]
    wait_for(
        lambda: all(h.status().is_awaiting_signal() or h.status().is_completed() for h in handles)
    )
    for handle in handles:
        stage.client.send_signal(handle.instance_id, "go", "signal")

    outputs = [handle.result(LATE) for handle in handles]

    assert set(outputs) <= {"signal", "deadline"}
    for handle, output in zip(handles, outputs, strict=True):
        # A signal that lost is kept, and one that won is consumed: decided once.
        kept = len(stage.pending(handle.instance_id))
        assert kept == (output == "deadline"), (handle.instance_id, output)


def test_two_workers_on_one_join(stage: Stage) -> None:
    together = threading.Barrier(2, timeout=LATE)

    def meet(value: int) -> int:
        together.wait()
        return value

    joined = Bodies()
    flow = (
        Flow[int, int]("join")
        .fork()
        .branch(meet, name="left")
        .branch(meet, name="right")
        .join(lambda parts: joined.step(parts["left"] + parts["right"]))
        .build()
    )
    for name in ("w0", "w1"):
        stage.employ(flow, name=name, concurrency=1)

    for number in range(20):
        assert stage.client.submit(flow, f"join-{number}", number).result(LATE) == 2 * number + 1

    assert joined.calls == [2 * number for number in range(20)]


def test_recovery_against_drain(stage: Stage) -> None:
    calls: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def slow(value: int) -> int:
        calls.append(value)
        begun.set()
        assert go_on.wait(LATE)
        return value + 1

    flow = Flow[int, int]("drain").then(slow).then(lambda value: value * 10, name="ten").build()
    draining = stage.employ(flow, name="draining", concurrency=1)
    first = stage.client.submit(flow, "running", 1)
    assert begun.wait(LATE)
    second = stage.client.submit(flow, "queued", 2)
    draining.shutdown(LATE)
    stage.employ(flow, name="fresh")
    wait_for(lambda: calls == [1, 2])
    # Longer than the lease: a worker that drains still holds what it runs.
    time.sleep(3)
    go_on.set()

    assert (first.result(LATE), second.result(LATE)) == (20, 30)
    assert draining.join(LATE)
    assert calls == [1, 2]
    assert draining.report().counts["refused"] == 0


def test_two_workers_of_one_name(stage: Stage) -> None:
    bodies = Bodies()
    flow = Flow[int, int]("twins").then(bodies.step).then(bodies.step, name="again").build()
    for _ in range(2):
        stage.employ(flow, name="twin")
    handles = stage.client.submit_many(flow, [(f"twins-{n}", n) for n in range(100)])

    assert [handle.result(LATE) for handle in handles] == [n + 2 for n in range(100)]
    assert len(bodies.calls) == 200


def test_an_unanswered_claim(stage: Stage) -> None:
    bodies = Bodies()
    flow = Flow[int, int]("unanswered").then(bodies.step).build()
    store, unanswered = stage.disturbed(), [0]

    def lose_the_answer(call: Callable[[], Any]) -> Any:
        claims = call()
        if claims and unanswered[0] < 2:
            unanswered[0] += 1
            raise BackendError("the answer was lost (by the test)", transient=True)
        return claims

    store.around["claims.claim"] = lose_the_answer
    worker = stage.employ(flow, name="w", store=store)
    handles = [stage.client.submit(flow, f"unanswered-{n}", n) for n in range(10)]

    assert [handle.result(LATE) for handle in handles] == [n + 1 for n in range(10)]
    assert unanswered == [2]
    assert sorted(bodies.calls) == list(range(10))
    assert worker.report().trouble is None


def test_a_batch_with_one_bad_row(stage: Stage) -> None:
    together = threading.Barrier(8, timeout=LATE)

    def big_or_small(value: int) -> str:
        together.wait()
        return "x" * (200_000 if value == 3 else 10)

    flow = Flow[int, str]("bad-row").then(big_or_small).build()
    stage.employ(flow, name="w", store=stage.open(max_payload_bytes=100_000))
    handles = [stage.client.submit(flow, f"row-{n}", n) for n in range(8)]

    ends = [handle.wait(LATE) for handle in handles]

    assert [end.status for end in ends] == ["completed"] * 3 + ["failed"] + ["completed"] * 4
    error = ends[3].error or ""
    assert error.startswith("RefusedRowError")
    assert "big_or_small" in error or "100000" in error.replace(",", "")
