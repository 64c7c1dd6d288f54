"""The stores that fixtures lend to tests: empty, in virtual time, and looked after."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from sayiir_core.errors import InstanceStateError
from sayiir_core.ids import InstanceId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.clock import Clock
from sayiir_core.ports.instances import InstanceQuery
from sayiir_core.snapshot.head import InstanceState
from sayiir_pytest.choice import ignores_leaks
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.connection import open_files, open_sockets
from sayiir_pytest.leak import LeakWatch
from sayiir_pytest.report import add_reporter, report_of_backend
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.runner.lease import keeper_of

if TYPE_CHECKING:
    from sayiir_pytest.postgres_place import PostgresPlace

_AT_ONCE: Final = 1000


@contextmanager
def lend_backend(
    request: pytest.FixtureRequest, name: str, clock: VirtualClock
) -> Generator[Backend]:
    """Give a store for one test; afterwards it is closed, and what the test left in it is gone.

    A test that leaks threads, connections or claims fails, unless its marker says otherwise.
    """
    node: pytest.Item = request.node
    store = _store(request, name, clock)
    watch = LeakWatch(store.connections)
    backend = store.backend
    add_reporter(node, "sayiir instances", lambda: report_of_backend(backend))
    try:
        yield backend
    finally:
        watch.note_claims(backend)
        keeper_of(backend).close()
        backend.close()
        if name == "postgres":
            empty(backend, clock)
            backend.close()
    if not ignores_leaks(node):
        watch.check(node.nodeid)


class _Store(NamedTuple):
    """A backend, and what names its open connections."""

    backend: Backend
    connections: Callable[[], set[str]]


def _store(request: pytest.FixtureRequest, name: str, clock: Clock) -> _Store:
    match name:
        case "sqlite":
            folder: Path = request.getfixturevalue("tmp_path")
            path = folder / "sayiir.db"
            return _Store(_sqlite(path, clock), lambda: open_files(path))
        case "postgres":
            place: PostgresPlace = request.getfixturevalue("sayiir_postgres")
            return _Store(place.backend(clock), lambda: open_sockets(place.port))
        case _:
            return _Store(InMemoryBackend(clock=clock), set[str])


def _sqlite(path: Path, clock: Clock) -> Backend:
    try:
        from sayiir_sqlite import SQLiteBackend
    except ModuleNotFoundError as error:
        pytest.fail(
            f"the SQLite store lacks the module {error.name!r}; install it with: "
            f"pip install 'sayiir-pytest[sqlite]'",
            pytrace=False,
        )
    # What a power cut may undo matters to no test.
    return SQLiteBackend(path, clock=clock, synchronous="NORMAL")


def empty(backend: Backend, clock: VirtualClock) -> None:
    """Remove every instance and every signal of a store in which nothing runs."""
    while True:
        page = backend.instances.select(InstanceQuery(limit=_AT_ONCE))
        if not page.headers:
            break
        for header in page.headers:
            if header.state in {InstanceState.RUNNING, InstanceState.PAUSED}:
                _cancel(backend, header.instance_id)
        clock.advance(timedelta(seconds=1))
        if backend.instances.prune(finished_before=clock.now(), limit=_AT_ONCE) == 0:
            break
    while backend.signals.expire(received_before=clock.now(), limit=_AT_ONCE):
        pass


def _cancel(backend: Backend, instance_id: InstanceId) -> None:
    try:
        backend.control.cancel(instance_id, reason="the test is over", by=None)
    except InstanceStateError:
        return
