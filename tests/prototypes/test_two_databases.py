"""Two PostgreSQL servers behind one backend, a pooled worker and a client; then one server is gone."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sayiir_core.authoring import Flow
from sayiir_core.errors import BackendError
from sayiir_core.ids import InstanceId
from sayiir_postgres import PostgresBackend
from sayiir_pytest.postgres_server import PostgresServer
from sayiir_runtime.client import WorkflowClient
from sayiir_runtime.worker import PooledWorker
from tests.prototypes.sharded import ShardedBackend

LATE = 60.0
EACH = 20

gate = threading.Event()
calls: Counter[tuple[str, int]] = Counter()


def first(number: int) -> int:
    """Count that it ran."""
    calls["first", number] += 1
    return number


def held(number: int) -> int:
    """Run until the test says so."""
    gate.wait(LATE)
    calls["held", number] += 1
    return number + 1


def total(branches: dict[str, int]) -> int:
    """Join."""
    return sum(branches.values())


FORK: Any = (
    Flow[int, Any]("fork")
    .then(first)
    .fork()
    .branch(first, name="a")
    .branch(first, name="b")
    .join(total)
    .build()
)
HELD: Any = Flow[int, Any]("held").then(first).then(held).build()
PARKED: Any = Flow[int, Any]("parked").then(first).wait_for_signal("go").build()


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, PostgresServer]]:
    """Start two servers."""
    with PostgresServer() as north, PostgresServer() as south:
        yield {"north": north, "south": south}


@pytest.fixture
def connect(servers: dict[str, PostgresServer]) -> Iterator[Callable[[], ShardedBackend]]:
    """Give a function that connects to both as another process would."""
    made: list[ShardedBackend] = []

    def make() -> ShardedBackend:
        made.append(ShardedBackend({name: PostgresBackend(it.dsn) for name, it in servers.items()}))
        return made[-1]

    yield make
    for backend in made:
        backend.close()


def names_of(backend: ShardedBackend, shard: str, prefix: str) -> list[str]:
    """Return ids that stand in a shard."""
    names = (f"{prefix}-{number}" for number in range(20 * EACH))
    ours = (name for name in names if backend.shards.of(InstanceId(name)).name == shard)
    return [name for name, _ in zip(ours, range(EACH), strict=False)]


def test_the_instances_of_one_database_go_on_while_the_other_is_down(
    servers: dict[str, PostgresServer], connect: Callable[[], ShardedBackend]
) -> None:
    """Nothing is lost, no recorded step runs again, and the worker goes on when it is back."""
    backend = connect()
    client = WorkflowClient(connect())
    north, south = (
        {flow: names_of(backend, shard, flow) for flow in ("fork", "held", "parked", "late")}
        for shard in ("north", "south")
    )
    worker = PooledWorker("one", backend, concurrency=3 * EACH).start([FORK, HELD, PARKED])
    try:
        forks = client.submit_many(FORK, [(name, 1) for name in north["fork"] + south["fork"]])
        assert [2] * 2 * EACH == [handle.result(LATE) for handle in forks]
        numbered = list(enumerate(north["held"] + south["held"]))
        waiting = client.submit_many(HELD, [(name, number) for number, name in numbered])
        parked = {
            name: client.submit(PARKED, name, 1) for name in north["parked"] + south["parked"]
        }
        until(lambda: worker.report().counts["started"] >= 2 * EACH * 7 and all_parked(parked))

        servers["north"].stop("immediate")
        gate.set()

        for name in south["parked"]:
            parked[name].send_signal("go", name)
        late = client.submit_many(FORK, [(name, 1) for name in south["late"]])
        assert south["parked"] == [parked[name].result(LATE) for name in south["parked"]]
        assert [2] * EACH == [handle.result(LATE) for handle in late]
        assert [n + 1 for n in range(EACH, 2 * EACH)] == [it.result(LATE) for it in waiting[EACH:]]
        with pytest.raises(BackendError) as refused:
            client.submit(FORK, north["late"][0], 1)
        assert refused.value.transient

        servers["north"].start()

        assert [n + 1 for n in range(EACH)] == [handle.result(LATE) for handle in waiting[:EACH]]
        for name in north["parked"]:
            parked[name].send_signal("go", name)
        assert north["parked"] == [parked[name].result(LATE) for name in north["parked"]]
        assert {1} == {count for (kind, _), count in calls.items() if kind == "held"}
        assert 3 * 3 * EACH + 4 * EACH == sum(
            n for (kind, _), n in calls.items() if kind == "first"
        )
    finally:
        gate.set()
        worker.shutdown()
        assert worker.join(LATE)


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + LATE
    while not holds():
        assert time.monotonic() < deadline, "this should have happened by now"
        time.sleep(0.02)


def all_parked(handles: dict[str, Any]) -> bool:
    """Tell whether all of them wait for their signal."""
    return all(handle.status().is_awaiting_signal() for handle in handles.values())
