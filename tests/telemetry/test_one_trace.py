"""One trace from the caller through the queue to two processes, and across the death of one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.telemetry.receiver import (
    PATIENCE_SECONDS,
    Received,
    attributes,
    grpc_receiver,
    http_receiver,
)

HERE = Path(__file__).parent
RECEIVERS = {"grpc": grpc_receiver, "http/protobuf": http_receiver}


@pytest.fixture(params=["grpc", "http/protobuf"])
def protocol(request: pytest.FixtureRequest) -> str:
    """Give each protocol of OTLP."""
    return str(request.param)


@pytest.fixture
def url(request: pytest.FixtureRequest, protocol: str, tmp_path: Path) -> str:
    """Give a store that processes share: a server with one protocol, a file with the other."""
    if protocol == "grpc":
        return str(request.getfixturevalue("postgres_database"))
    return f"sqlite:///{tmp_path}/store.db"


def variables(endpoint: str, protocol: str, folder: Path) -> dict[str, str]:
    """Return the environment of a process: the standard variables, and where it leaves marks."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("OTEL_")}
    return kept | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_METRIC_EXPORT_INTERVAL": "200",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
        "TRACED_FOLDER": str(folder),
    }


@contextmanager
def worker(url: str, name: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker process until the end of the block, in good order if it still lives."""
    command = [sys.executable, str(HERE / "traced_worker.py"), url, name]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(PATIENCE_SECONDS)


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def by_name(spans: list[Any]) -> dict[str, list[Any]]:
    """Return spans by their names."""
    found: dict[str, list[Any]] = {}
    for span in spans:
        found.setdefault(span.name, []).append(span)
    return found


def run_across_a_crash(url: str, environment: dict[str, str], received: Received) -> list[Any]:
    """Submit, kill the worker that hangs in the third task, let another one end it."""
    folder = Path(environment["TRACED_FOLDER"])
    caller = [sys.executable, str(HERE / "traced_caller.py"), url]
    with worker(url, "first", environment) as first:
        subprocess.run(caller, env=environment, check=True, timeout=PATIENCE_SECONDS)
        until((folder / f"hangs-in-{first.pid}").exists)
        received.wait(lambda spans: {"reserve", "charge"} <= {span.name for span in spans})
        first.send_signal(signal.SIGKILL)
    with worker(url, "second", environment):
        return received.wait(lambda spans: {"send", "run order"} <= {span.name for span in spans})


def test_one_trace_crosses_processes_and_a_crash_without_duplicates(
    url: str, protocol: str, tmp_path: Path
) -> None:
    """Every task that was recorded has one span, all in the trace of the caller's request."""
    with RECEIVERS[protocol]() as (endpoint, received):
        spans = run_across_a_crash(url, variables(endpoint, protocol, tmp_path), received)
        metrics = received.metrics
    named = by_name(spans)

    assert 1 == len({span.trace_id for span in spans})
    assert Counter(span.name for span in spans) == {
        "POST /orders": 1,
        "submit order": 1,
        "reserve": 1,
        "query the stock": 1,
        "charge": 1,
        "call the bank": 1,
        # The one that was killed is not ended by anybody, and the other one is the second delivery.
        "pack": 1,
        "send": 1,
        "run order": 1,
    }
    parents = {name: each[0].parent_span_id for name, each in named.items()}
    ids = {name: each[0].span_id for name, each in named.items()}
    assert ids["POST /orders"] == parents["submit order"]
    assert ids["submit order"] == parents["run order"]
    assert {ids["run order"]} == {parents["pack"], parents["send"]}
    assert (ids["reserve"], ids["charge"]) == (parents["query the stock"], parents["call the bank"])
    # The stay that the kill cut short is known by its children alone.
    assert parents["reserve"] == parents["charge"] != ids["run order"]
    assert {"shop", "workers"} == received.services
    assert {"sayiir.task.duration", "sayiir.queue.wait", "sayiir.runs.created"} <= metrics


def test_a_task_span_says_what_it_is_and_the_user_s_own_span_nests(
    url: str, protocol: str, tmp_path: Path
) -> None:
    """Name workflow, instance, task and attempt; submit and stay speak the words of messaging."""
    (tmp_path / "hangs").touch()
    environment = variables("", protocol, tmp_path)
    with RECEIVERS[protocol]() as (endpoint, received):
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
        caller = [sys.executable, str(HERE / "traced_caller.py"), url]
        with worker(url, "only", environment):
            subprocess.run(caller, env=environment, check=True, timeout=PATIENCE_SECONDS)
            named = by_name(received.wait(lambda spans: "run order" in {s.name for s in spans}))

    facts = attributes(named["pack"][0])
    assert {
        "sayiir.workflow.id": "order",
        "sayiir.instance.id": "order-1",
        "sayiir.task.path": "pack",
        "sayiir.task.attempt": 1,
    } == facts
    kinds = {name: named[name][0].kind for name in ("submit order", "run order", "pack")}
    assert {"submit order": 4, "run order": 5, "pack": 1} == kinds
    assert "send" == attributes(named["submit order"][0])["messaging.operation.type"]
    assert "process" == attributes(named["run order"][0])["messaging.operation.type"]
    run, tasks = named["run order"][0], ("reserve", "charge", "pack", "send")
    assert all(run.start_time_unix_nano <= named[t][0].start_time_unix_nano for t in tasks)
    assert all(named[t][0].end_time_unix_nano <= run.end_time_unix_nano for t in tasks)
