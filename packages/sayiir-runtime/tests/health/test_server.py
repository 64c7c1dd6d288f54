"""Probes of a real worker over real HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from sayiir_core.authoring import Flow
from sayiir_core.ports.telemetry import Instruments
from sayiir_runtime.client import WorkflowClient
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.telemetry.observed import with_instruments
from sayiir_runtime.worker import PooledWorker, WorkerHandle

PATIENCE_SECONDS = 30.0


def get(handle: WorkerHandle, path: str) -> tuple[int, str, str]:
    """Return status, content type and body."""
    assert handle.health_address is not None
    host, port = handle.health_address
    try:
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def checks(handle: WorkerHandle, path: str) -> dict[str, Any]:
    """Return the checks of a verdict."""
    found: dict[str, Any] = json.loads(get(handle, path)[2])["checks"]
    return found


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def quick(value: int) -> int:
    """Do nothing."""
    return value


QUICK = Flow[int, int]("quick").then(quick).build()


def test_a_worker_answers_probes_on_loopback_until_it_ends() -> None:
    """Say 200 while it works; afterwards the port is free."""
    with PooledWorker("w", InMemoryBackend(), health_port=0).start([QUICK]) as handle:
        until(lambda: get(handle, "/ready")[0] == 200)
        live = get(handle, "/live")
        unknown = get(handle, "/nothing")
        address = handle.health_address
        assert address is not None

    assert (200, "application/json") == live[:2]
    assert 404 == unknown[0]
    assert "127.0.0.1" == address[0]
    with pytest.raises(urllib.error.URLError):
        get(handle, "/live")


def test_a_port_that_is_taken_is_an_error_at_the_start() -> None:
    """Start no worker that could not be probed."""
    with PooledWorker("w", InMemoryBackend(), health_port=0).start([QUICK]) as handle:
        assert handle.health_address is not None
        port = handle.health_address[1]
        with pytest.raises(OSError, match="in use"):
            PooledWorker("x", InMemoryBackend(), health_port=port).start([QUICK])


def test_a_blocked_event_loop_makes_a_worker_unready_and_names_it() -> None:
    """Stay live: it may turn again, and then the worker is ready again."""
    go_on, blocks = threading.Event(), threading.Event()

    async def block(value: int) -> int:
        blocks.set()
        assert go_on.wait(PATIENCE_SECONDS)
        await asyncio.sleep(0)
        return value

    flow = Flow[int, int]("blocked").then(block).build()
    backend = InMemoryBackend()
    with PooledWorker("w", backend, health_port=0).start([flow]) as handle:
        run = WorkflowClient(backend).submit(flow, "one", 1)
        assert blocks.wait(PATIENCE_SECONDS)
        until(lambda: get(handle, "/ready")[0] == 503)
        said, live = checks(handle, "/ready")["loop"], get(handle, "/live")[0]
        go_on.set()
        assert 1 == run.result("20s")
        until(lambda: get(handle, "/ready")[0] == 200)

    assert "a task blocks it" in said
    assert 200 == live


def test_metrics_are_what_the_instruments_expose_and_absent_without() -> None:
    """Pass on the Accept header; without instruments say what to install."""
    asked: list[str] = []

    def expose(accept: str) -> tuple[str, bytes]:
        asked.append(accept)
        return "text/plain; version=1", b"up 1\n"

    observed = with_instruments(InMemoryBackend(), [Instruments(exposition=expose)])
    with PooledWorker("w", observed, health_port=0).start([QUICK]) as handle:
        found = get(handle, "/metrics")
    with PooledWorker("x", InMemoryBackend(), health_port=0).start([QUICK]) as handle:
        missing = get(handle, "/metrics")

    assert (200, "text/plain; version=1", "up 1\n") == found
    assert 1 == len(asked)
    assert 404 == missing[0]
    assert "sayiir-otel[prometheus]" in missing[2]
