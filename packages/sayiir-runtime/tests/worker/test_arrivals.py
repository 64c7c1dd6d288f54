"""A join whose branches ended in its own worker needs no read; any other one is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sayiir_core.authoring import Flow, task
from sayiir_runtime.client import WorkflowClient
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.worker import WorkerHandle, arrivals

Start = Callable[..., WorkerHandle]


def start_value(x: int) -> list[int]:
    return [x]


def spoil(values: list[int]) -> list[int]:
    values.append(1)
    return values


def look(values: list[int]) -> dict[str, list[int]]:
    values.append(2)
    return {"seen": values}


@task(tags=["elsewhere"])
def elsewhere(values: list[int]) -> list[int]:
    return [*values, 3]


def joined(branches: dict[str, Any]) -> dict[str, Any]:
    return branches


def _fork(second: Any) -> Any:
    flow: Any = Flow("forked").then(start_value).fork()
    return flow.branch(spoil, name="a").branch(second, name="b").join(joined).build()


@pytest.fixture
def reads(backend: InMemoryBackend, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Give the joins whose branches were read from the store."""
    asked: list[Any] = []
    branches = type(backend.results).branches

    def watched(self: Any, run_id: Any, join: Any) -> Any:
        asked.append(join)
        return branches(self, run_id, join)

    monkeypatch.setattr(type(backend.results), "branches", watched)
    return asked


def test_a_join_of_branches_that_ended_here_reads_nothing(
    client: WorkflowClient, start: Start, reads: list[Any]
) -> None:
    workflow = _fork(look)
    start(workflow)
    result = client.submit(workflow, "i", 7).result(timeout=20)
    assert result == {"a": [7, 1], "b": {"seen": [7, 2]}}
    assert reads == []


def test_a_join_of_a_branch_that_ended_elsewhere_is_read(
    client: WorkflowClient, start: Start, reads: list[Any]
) -> None:
    workflow = _fork(elsewhere)
    handle = client.submit(workflow, "i", 7)
    start(workflow, name="one", tags=["none"])
    start(workflow, name="two", tags=["elsewhere"])
    assert handle.result(timeout=20) == {"a": [7, 1], "b": [7, 3]}


def test_what_was_forgotten_is_read(
    client: WorkflowClient, start: Start, reads: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "MOST_BYTES", 12)
    workflow = _fork(look)
    start(workflow)
    result = client.submit(workflow, "i", 7).result(timeout=20)
    assert result == {"a": [7, 1], "b": {"seen": [7, 2]}}
    assert len(reads) == 1
