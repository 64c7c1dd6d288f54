"""``sayiir worker`` seen from outside: probes, metrics, and a log for machines."""

from __future__ import annotations

import json
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing

import pytest

from packages.sayiir.tests.cli import flows
from packages.sayiir.tests.cli.process import Command, wait_until
from sayiir import WorkflowClient

Start = Callable[..., Command]


@pytest.fixture
def port() -> int:
    """Give a port that was free a moment ago."""
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        number: int = found.getsockname()[1]
        return number


def two_ports() -> int:
    """Return a port that was free a moment ago, as was the one behind it."""
    while True:
        with closing(socket.socket()) as first, closing(socket.socket()) as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def status(port: int, path: str) -> int:
    """Return the status of a page, 0 if nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def test_a_worker_is_ready_while_it_works_and_unready_while_it_drains(
    worker: Start, client: WorkflowClient, port: int
) -> None:
    """A probe sees the end coming, so that nothing is sent there any more."""
    command = worker("flows", f"--health-port={port}")
    client.submit(flows.slow, "s-1", "s-1")
    command.wait_for_body("s-1")
    wait_until(lambda: status(port, "/ready") == 200, command.said)
    command.process.send_signal(signal.SIGTERM)
    wait_until(lambda: status(port, "/ready") == 503, command.said)
    live = status(port, "/live")
    command.let_go()

    assert 200 == live
    assert 0 == command.end()
    assert 0 == status(port, "/live")


def test_the_variables_of_opentelemetry_make_a_worker_answer_scrapes(
    worker: Start, client: WorkflowClient, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else is needed: the plugin observes what the command opens."""
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "prometheus")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    command = worker("flows", f"--health-port={port}")
    client.submit(flows.quick, "q-1", 21).result(timeout="1m")

    def scraped() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    wait_until(lambda: "sayiir_runs_ended_total" in scraped(), command.said)
    command.process.send_signal(signal.SIGTERM)

    assert 0 == command.end()


def test_a_variable_that_nothing_installed_serves_is_refused(
    worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked for traces would miss them later."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkun")

    command = worker("flows")

    assert 2 == command.end()
    assert "zipkun" in command.said()


def test_each_of_several_processes_answers_at_a_port_of_its_own(worker: Start) -> None:
    """The first at the one that is named, the others at those behind it."""
    port = two_ports()
    command = worker("flows", "--processes=2", f"--health-port={port}")

    def is_ready(at: int) -> bool:
        return status(at, "/ready") == 200

    wait_until(lambda: is_ready(port) and is_ready(port + 1), command.said)
    command.process.send_signal(signal.SIGTERM)

    assert 0 == command.end()
    assert [0, 0] == [status(port, "/live"), status(port + 1, "/live")]


def test_processes_that_have_no_ports_are_refused(worker: Start) -> None:
    """Say which port would do."""
    command = worker("flows", "--processes=3", "--health-port=65534")

    assert 2 == command.end()
    assert "name 65533 or less" in command.said()


def test_the_log_can_be_read_by_machines(worker: Start, client: WorkflowClient) -> None:
    """One object per line, from the first to the last."""
    command = worker("flows", "--log-format=json", "--worker-id=ada")
    client.submit(flows.quick, "q-1", 1).result(timeout="1m")
    command.process.send_signal(signal.SIGTERM)

    assert 0 == command.end()
    lines = [json.loads(line) for line in command.said().splitlines()]
    assert {"sayiir.worker"} == {line["logger"] for line in lines}
    assert any("worker ada has stopped" in line["message"] for line in lines)
