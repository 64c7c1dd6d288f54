"""The stores over which the laws are checked."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sayiir_core.ports.backend import Backend
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.keyvalue import DictKeyValueStore
from sayiir_pytest.process import World
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.memory.clock import SystemClock
from tests.keyvalue.story import backend_on

STORES = ["memory", "keyvalue", "sqlite", "postgres"]

TIMEOUT = 300 + 20 * int(os.environ.get("SAYIIR_LAWS_EXAMPLES", "0"))
"""Seconds for one law: more workflows may take longer."""

Make = Callable[[VirtualClock | None], Backend]


def _memory(request: pytest.FixtureRequest) -> Make:
    return lambda clock: InMemoryBackend(clock=clock)


def _keyvalue(request: pytest.FixtureRequest) -> Make:
    store = DictKeyValueStore()
    return lambda clock: backend_on(store, clock or SystemClock())


def _sqlite(request: pytest.FixtureRequest) -> Make:
    from sayiir_sqlite import SQLiteBackend

    # A file in memory where the machine has such a place: what is tested here is no disk.
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shm if shm.is_dir() else None))
    request.addfinalizer(lambda: shutil.rmtree(folder, ignore_errors=True))
    return lambda clock: SQLiteBackend(str(folder / "laws.db"), synchronous="NORMAL", clock=clock)


def _postgres(request: pytest.FixtureRequest) -> Make:
    from sayiir_postgres import PostgresBackend

    dsn: Any = request.getfixturevalue("postgres_database")
    return lambda clock: PostgresBackend(dsn, clock=clock)


def make_store(name: str, request: pytest.FixtureRequest) -> Make:
    """Return a function that opens a store, the same at each call but for memory; None: real time."""
    make = {"memory": _memory, "keyvalue": _keyvalue, "sqlite": _sqlite, "postgres": _postgres}
    return make[name](request)


@pytest.fixture(params=STORES)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Give a store of each kind with a clock that stands still."""
    world = World(make_store(request.param, request))
    yield world
    world.store.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the laws the time that their number of workflows takes."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(TIMEOUT))
