"""Threads that nobody needs any more end soon, instead of living as long as their process."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sayiir_core.authoring import Flow
from sayiir_runtime.api import run_durable_workflow, send_signal_async
from sayiir_runtime.client import WorkflowClient, watcher
from sayiir_runtime.runner.lease import keeper_of

PATIENCE = 20.0


def _named(name: str, before: set[threading.Thread]) -> list[threading.Thread]:
    return [it for it in threading.enumerate() if it.name.startswith(name) and it not in before]


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


@pytest.fixture
def backend(tmp_path: Path) -> Any:
    """Give a store that may block, on a file of its own."""
    from sayiir_sqlite import SQLiteBackend

    return SQLiteBackend(tmp_path / "store.db", synchronous="NORMAL")


def test_a_watcher_that_awaits_nothing_ends_with_its_store(
    backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lingered with its subscription, whose thread opened the closed file again."""
    monkeypatch.setattr(watcher, "LINGER_SECONDS", 10 * PATIENCE)
    before = set(threading.enumerate())
    workflow = Flow[int, int]("one").then(int).build()
    run_durable_workflow(workflow, "it", 1, backend)
    assert 1 == WorkflowClient(backend).handle("it").result(PATIENCE)
    assert 1 == len(_named("sayiir-watcher", before))

    backend.close()

    _until(lambda: not _named("sayiir-watcher", before))
    _until(lambda: not _named("sayiir-sqlite-watch", before))


def test_closing_a_keeper_ends_the_threads_of_its_store_calls(backend: Any) -> None:
    """Each store that an event loop had called left up to eight idle threads for ever."""
    before = set(threading.enumerate())
    asyncio.run(send_signal_async("it", "s", 1, backend))
    assert 1 == len(_named("sayiir-store", before))

    keeper_of(backend).close()

    _until(lambda: not _named("sayiir-store", before))
    asyncio.run(send_signal_async("it", "s", 2, backend))
    assert 2 == len(backend.signals.pending("it"))
    keeper_of(backend).close()
    backend.close()
