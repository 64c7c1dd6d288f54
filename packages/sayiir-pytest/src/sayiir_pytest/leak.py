"""What a test leaves behind: threads, connections of its store, claims."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterable
from time import monotonic, sleep
from typing import Final

import pytest

from sayiir_core.ports.backend import Backend
from sayiir_core.ports.instances import InstanceQuery
from sayiir_core.snapshot.head import InstanceState
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.node import END

_OURS: Final = "sayiir-"
_POOLS: Final = ("ThreadPoolExecutor-", "asyncio_")
_PATIENCE_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 0.01
_ENDS_BY_ITSELF: Final = ("sayiir-lookout", "sayiir-watcher")


class LeakWatch:
    """Compare what there is after a test with what there was before.

    ``connections`` names the connections to the test's store that are open. A thread counts if it
    belongs to Sayiir, or if it would keep the interpreter from ending; the threads of executors
    do not, since whoever made the executor may have made it for more than one test.
    """

    def __init__(self, connections: Callable[[], Iterable[str]]) -> None:
        self._connections = connections
        self._threads = set(threading.enumerate())
        self._open = set(connections())
        self._claims: list[str] = []

    def note_claims(self, backend: Backend) -> None:
        """Note what sessions hold, before the store is closed."""
        self._claims = claims_of(backend)

    def found(self) -> list[str]:
        """Return what is left, one line each; threads and connections get a moment to end."""
        if self._left():
            # What nobody can reach any more is left to the collector, and not by the test.
            gc.collect()
        until = monotonic() + _PATIENCE_SECONDS
        while (left := self._left()) and monotonic() < until:
            sleep(_LOOK_SECONDS)
        return [*self._claims, *left]

    def check(self, test: str) -> None:
        """Fail the test if anything is left."""
        found = self.found()
        if found:
            listed = "\n".join(f"  - {line}" for line in found)
            pytest.fail(
                f"{test} leaves behind:\n{listed}\nEnd it in the test, or allow it with "
                f"@pytest.mark.sayiir(leaks='ignore').",
                pytrace=False,
            )

    def _left(self) -> list[str]:
        threads = [it for it in threading.enumerate() if it not in self._threads and _counts(it)]
        connections = sorted(set(self._connections()) - self._open)
        return [*(f"thread {it.name!r}" for it in threads), *connections]


def claims_of(backend: Backend) -> list[str]:
    """Return one line for each cursor that a live session holds."""
    workers = {view.session_id: view.worker_id for view in backend.sessions.live()}
    if not workers:
        return []
    found: list[str] = []
    after: str | None = None
    while True:
        page = backend.instances.select(InstanceQuery(state=InstanceState.RUNNING, after=after))
        for header in page.headers:
            head = backend.instances.load(header.instance_id)
            definition = backend.definitions.find(header.identity)
            found += [
                f"claim of {_path(definition, cursor.node)} in instance "
                f"{header.instance_id!r}, held by worker {workers[cursor.session]}"
                for cursor in head.cursors.values()
                if cursor.session is not None and cursor.session in workers
            ]
        after = page.next
        if after is None:
            return found


def _path(definition: Definition | None, node: int) -> str:
    if definition is None or node == END:
        return "its end" if node == END else f"node {node}"
    return repr(definition.nodes[node].path)


def _counts(thread: threading.Thread) -> bool:
    if thread.name.startswith(_OURS):
        return not thread.name.startswith(_ENDS_BY_ITSELF)
    return not thread.daemon and not thread.name.startswith(_POOLS)
