"""A real worker is scraped: by the official parser, and by a real Prometheus that is asked then."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from sayiir_otel.catalogue import METRICS

HERE = Path(__file__).parent
PATIENCE_SECONDS = 60.0
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def port() -> Iterator[int]:
    """Give the health port of a worker process that has run five runs of one task."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("OTEL_")}
    process = subprocess.Popen(
        [sys.executable, str(HERE / "scraped_worker.py")],
        env=kept | {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "prometheus"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        assert 0 == process.wait(PATIENCE_SECONDS)
        process.stdout.close()


@pytest.fixture
def program() -> str:
    """Give the Prometheus server of this machine; CI must not go without."""
    found = shutil.which("prometheus")
    if found is None:
        if os.environ.get("SAYIIR_REQUIRE_PROMETHEUS") == "1":
            pytest.fail("Prometheus is required here", pytrace=False)
        pytest.skip("no Prometheus on PATH: apt-get install prometheus")
    return found


def fetch(url: str, accept: str = "") -> tuple[str, str]:
    """Return the content type and the body of a page."""
    headers = {"Accept": accept} if accept else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return answer.headers["Content-Type"], answer.read().decode()


def scraped_until_counted(port: int) -> dict[str, Any]:
    """Return the families of a scrape once the five runs are counted: events come a bit later."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        _, text = fetch(f"http://127.0.0.1:{port}/metrics")
        families = {family.name: family for family in text_string_to_metric_families(text)}
        ended = families.get("sayiir_runs_ended")
        if ended is not None and ended.samples[0].value == 5:
            return families
        assert time.monotonic() < deadline, sorted(families)
        time.sleep(0.05)


def test_a_scrape_of_a_worker_is_read_by_the_official_parser(port: int) -> None:
    """Serve both text formats; count what has run, and show the worker and its queue."""
    families = scraped_until_counted(port)
    content_type, text = fetch(f"http://127.0.0.1:{port}/metrics", OPENMETRICS)

    (count,) = [
        sample.value
        for sample in families["sayiir_task_duration_seconds"].samples
        if sample.name.endswith("_count")
    ]
    assert 5 == count
    assert 1 == families["sayiir_workers"].samples[0].value
    assert 32 == families["sayiir_worker_capacity"].samples[0].value
    assert {"billing"} == {
        sample.labels["workflow"] for sample in families["sayiir_queue_ready"].samples
    }
    known = {metric.prometheus.removesuffix("_total") for metric in METRICS}
    assert {name for name in families if name.startswith("sayiir_")} <= known
    assert content_type.startswith("application/openmetrics-text")
    assert "sayiir_steps" in {it.name for it in openmetrics.text_string_to_metric_families(text)}


def free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        number: int = found.getsockname()[1]
        return number


@pytest.fixture
def prometheus(program: str, port: int, tmp_path: Path) -> Iterator[str]:
    """Give the address of a Prometheus that scrapes the worker every fifth of a second."""
    scraped_until_counted(port)
    config = {
        "global": {"scrape_interval": "200ms"},
        "scrape_configs": [
            {"job_name": "workers", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
        ],
    }
    # Whatever is JSON is YAML.
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    address = f"127.0.0.1:{free_port()}"
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [
                program,
                f"--config.file={tmp_path}/prometheus.yml",
                f"--storage.tsdb.path={tmp_path}/data",
                f"--web.listen-address={address}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield f"http://{address}"
    finally:
        server.terminate()
        server.wait(PATIENCE_SECONDS)


def ask(address: str, query: str) -> list[Any]:
    """Return the result of a query once there is one."""
    url = f"{address}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            answer = json.loads(fetch(url)[1])
        except urllib.error.HTTPError as error:
            if error.code == 400:
                raise AssertionError(f"{query}: {error.read().decode()}") from error
            answer = {"data": {"result": []}}
        except urllib.error.URLError:
            answer = {"data": {"result": []}}
        result: list[Any] = answer["data"]["result"]
        if result or time.monotonic() > deadline:
            return result
        time.sleep(0.1)


def test_a_real_prometheus_scrapes_a_worker_and_answers_a_query(prometheus: str) -> None:
    """Sum the counted steps, and take a quantile of the durations, as a dashboard does."""
    steps = ask(prometheus, "sum by (workflow, status) (sayiir_steps_total)")
    median = ask(
        prometheus,
        "histogram_quantile(0.5, sum by (le) (sayiir_task_duration_seconds_bucket))",
    )
    up = ask(prometheus, 'up{job="workers"}')

    assert [{"workflow": "billing", "status": "succeeded"}] == [it["metric"] for it in steps]
    assert ["5"] == [it["value"][1] for it in steps]
    assert 0 < float(median[0]["value"][1]) < 1
    assert "1" == up[0]["value"][1]
