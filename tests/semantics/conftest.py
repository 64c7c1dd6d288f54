"""Stores and drivers: every case runs through each of them and must not see a difference."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import sayiir
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.instances import InstanceQuery
from sayiir_core.snapshot.head import InstanceState
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.postgres_server import PostgresServer
from sayiir_runtime.runner.lease import keeper_of
from sayiir_runtime.worker import PooledWorker, WorkerHandle
from tests.semantics import driving
from tests.semantics.scope import why_not_pooled

STORES = ("memory", "sqlite", "postgres")
POOLS = tuple(f"{name}_pool" for name in STORES)
DRIVERS = ("in_process", "in_process_async", *STORES, "memory_async")
PATIENCE = 20.0
BACKENDS: dict[str, Any] = {
    "memory": sayiir.InMemoryBackend,
    "memory_pool": driving.PooledMemory,
    "sqlite": sayiir.SQLiteBackend,
    "sqlite_pool": driving.PooledSQLite,
    "postgres": sayiir.PostgresBackend,
    "postgres_pool": driving.PooledPostgres,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each case through the runner, and through workers where that makes sense."""
    for fixture, names in (("store", STORES), ("timed_store", STORES), ("drive", DRIVERS)):
        if fixture in metafunc.fixturenames:
            pools = () if why_not_pooled(metafunc.definition) else POOLS
            metafunc.parametrize(fixture, [*names, *pools], indirect=True)


@dataclass
class Store:
    """The data of one store, and the ways to open it. ``again`` opens it as another process would.

    A memory store has no second way in: there ``again`` gives the same object. A store of the name
    ``*_pool`` is marked, so that ``driving`` lets workers serve it.
    """

    name: str
    open: Callable[[], Backend]
    clock: VirtualClock | None = None
    address: str = ""
    opened: list[Backend] = field(default_factory=list)

    @property
    def backend(self) -> Backend:
        """Return the backend that was opened first."""
        return self.opened[0] if self.opened else self.again()

    @property
    def kind(self) -> str:
        """Return which store it is, whoever serves it."""
        return self.name.removesuffix("_pool")

    @property
    def shared(self) -> bool:
        """Tell whether ``again`` is a second way in."""
        return self.backend.capabilities.shared

    def again(self) -> Backend:
        """Open the same data once more."""
        if self.kind == "memory" and self.opened:
            return self.opened[0]
        self.opened.append(self.open())
        return self.opened[-1]

    def close(self) -> None:
        """Close whatever was opened; leave nothing that the worker of a later test could take."""
        if self.opened and self.clock is None:
            self._cancel_what_is_left()
        for backend in self.opened:
            keeper_of(backend).close()
            backend.close()

    def _cancel_what_is_left(self) -> None:
        for state in (InstanceState.RUNNING, InstanceState.PAUSED):
            query = InstanceQuery(state=state)
            for header in self.backend.instances.select(query).headers:
                self.backend.control.cancel(header.instance_id, reason=None, by=None)


@dataclass(frozen=True)
class Ended:
    """How a run ended, whichever driver ran it."""

    output: Any = None
    error: str | None = None


class Drive:
    """Run a workflow to its end through one driver."""

    def __init__(self, name: str, store: Store | None) -> None:
        self.name = name
        self._store = store

    def __call__(self, workflow: Any, value: Any) -> Any:
        """Return the output of a run that must complete."""
        ended = self.end(workflow, value)
        assert ended.error is None
        return ended.output

    def end(self, workflow: Any, value: Any) -> Ended:
        """Return the output or the error text of a run that must not park."""
        if self._store is None:
            return self._in_process(workflow, value)
        instance_id = f"driven-{uuid.uuid4().hex}"
        backend = self._store.backend
        if self.name.endswith("_async"):
            call = sayiir.run_durable_workflow_async(workflow, instance_id, value, backend)
            status = asyncio.run(call)
        else:
            status = driving.run_durable_workflow(workflow, instance_id, value, backend)
        assert status.status in {"completed", "failed"}, status
        return Ended(status.output, status.error)

    def _in_process(self, workflow: Any, value: Any) -> Ended:
        try:
            if self.name.endswith("_async"):
                return Ended(asyncio.run(sayiir.run_workflow_async(workflow, value)))
            return Ended(sayiir.run_workflow(workflow, value))
        except sayiir.TaskError as error:
            return Ended(error=str(error).partition(" failed: ")[2])


@pytest.fixture(scope="session")
def semantics_database(postgres_server: PostgresServer) -> str:
    """Give one database for all cases: their instance ids differ."""
    return postgres_server.create_database(f"semantics_{uuid.uuid4().hex}")


@pytest.fixture
def make_store(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[str, VirtualClock | None], Store]]:
    """Give a function that makes a store by name; all are closed after the test."""
    made: list[Store] = []

    def make(name: str, clock: VirtualClock | None = None) -> Store:
        made.append(_store(request, name, tmp_path, clock))
        return made[-1]

    yield make
    for store in made:
        store.close()


def _store(
    request: pytest.FixtureRequest, name: str, folder: Path, clock: VirtualClock | None
) -> Store:
    kind, make = name.removesuffix("_pool"), BACKENDS[name]
    match kind:
        case "memory":
            return Store(name, lambda: make(clock=clock), clock)
        case "sqlite":
            path = folder / "sayiir.db"
            return Store(name, lambda: make(path, synchronous="NORMAL", clock=clock), clock)
        case "postgres":
            fixture = "semantics_database" if clock is None else "postgres_database"
            dsn = request.getfixturevalue(fixture)
            return Store(name, lambda: make(dsn, clock=clock), clock, dsn)
        case _:
            raise AssertionError(name)


@pytest.fixture
def store(request: pytest.FixtureRequest, make_store: Callable[..., Store]) -> Store:
    """Give each store in turn, on the real clock."""
    return make_store(request.param)


@pytest.fixture
def timed_store(request: pytest.FixtureRequest, make_store: Callable[..., Store]) -> Store:
    """Give each store in turn, on a virtual clock that the test moves."""
    return make_store(request.param, VirtualClock())


@pytest.fixture
def backend(store: Store) -> Backend:
    """Give each store's backend in turn."""
    return store.backend


@pytest.fixture
def drive(request: pytest.FixtureRequest, make_store: Callable[..., Store]) -> Drive:
    """Give each driver in turn."""
    name: str = request.param
    if name.startswith("in_process"):
        return Drive(name, None)
    return Drive(name, make_store(name.removesuffix("_async")))


@pytest.fixture
def iid() -> str:
    """Give an instance id that no other test uses."""
    return f"case-{uuid.uuid4().hex}"


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], Any]:
    """Give a function that polls a condition until it holds, and fails after a deadline."""

    def poll(condition: Callable[[], Any], timeout: float = PATIENCE) -> Any:
        deadline = time.monotonic() + timeout
        while True:
            answer = condition()
            if answer:
                return answer
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.005)

    return poll


@pytest.fixture
def start_worker(make_store: Callable[..., Store]) -> Iterator[Callable[..., WorkerHandle]]:
    """Give a function that starts a worker; what still works is aborted after the test."""
    handles: list[WorkerHandle] = []

    def start(backend: Backend, *workflows: Any, name: str = "w", **options: Any) -> WorkerHandle:
        worker = PooledWorker(name, backend, **{"poll_interval": 0.05, **options})
        handles.append(worker.start(workflows))
        return handles[-1]

    yield start
    for handle in handles:
        handle.abort()
    for handle in handles:
        assert handle.join(PATIENCE), f"worker {handle.worker_id} does not end"


class Background:
    """A call that runs on a thread of its own; ``result`` waits for it and raises what it raised."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._value: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Tell whether the call has not ended."""
        return self._thread.is_alive()

    def result(self, timeout: float = PATIENCE) -> Any:
        """Return what the call returned."""
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "the call did not end in time"
        if self._error is not None:
            raise self._error
        return self._value

    def _run(self) -> None:
        try:
            self._value = self._call()
        except BaseException as error:  # noqa: BLE001 - raised again by result()
            self._error = error


@pytest.fixture
def background() -> Callable[[Callable[[], Any]], Background]:
    """Give a function that makes a call in the background."""
    return Background


@dataclass
class Scene:
    """An instance in a state, the workflow that made it, and who was called."""

    backend: Any
    iid: str
    calls: list[str] = field(default_factory=list)
    broken: bool = True
    workflow: Any = None

    @property
    def operations(self):
        """Return the operations on the store."""
        return sayiir.Operations(self.backend)

    @property
    def status(self):
        """Return the status now."""
        return self.operations.status(self.iid)

    def called(self, name):
        """Return a task that notes its name."""

        def body(value):
            self.calls.append(name)
            return value

        return body

    def interrupt(self, value):
        """Be interrupted for as long as it is broken."""
        self.calls.append("interrupted")
        if self.broken:
            driving.interrupt_here(self.backend)
        return value

    def fail(self, value):
        """Fail for as long as it is broken."""
        self.calls.append("failing")
        if self.broken:
            raise ValueError("bad")
        return value

    def start(self, flow):
        """Run the flow with a last task behind it."""
        self.workflow = flow.then(self.called("last"), name="last").build()
        return driving.run_durable_workflow(self.workflow, self.iid, 5, self.backend)

    def flow(self):
        """Return a flow with a first task."""
        return sayiir.Flow("f").then(self.called("first"), name="first")

    def resume(self):
        """Resume the instance."""
        return driving.resume_workflow(self.workflow, self.iid, self.backend)

    def reach(self, state):
        """Bring the instance into a state, by a workflow of its own."""
        middle = self.flow()
        match state:
            case "in_progress":
                with pytest.raises(KeyboardInterrupt):
                    self.start(middle.then(self.interrupt, name="middle"))
            case "waiting":
                self.start(middle.delay("nap", "1h"))
            case "awaiting_signal" | "paused" | "cancelled":
                self.start(middle.wait_for_signal("go", name="gate"))
            case "completed":
                self.start(middle)
            case "failed":
                self.start(middle.then(self.fail, name="middle"))
        if state == "paused":
            sayiir.pause_workflow(self.iid, self.backend, "why", "me")
        if state == "cancelled":
            sayiir.cancel_workflow(self.iid, self.backend, "enough", "me")


@pytest.fixture
def scene(backend: Backend, iid: str) -> Scene:
    """Give an instance that can be brought into any state, in each store in turn."""
    return Scene(backend, iid)
