"""One trace from a customer's click through a service and a queue to two worker processes.

The workers are started as on any machine, ``sayiir worker service:order``, and told by the standard variables
where to send what they see. The store is a SQLite file of a new folder.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from collector import Collector
from opentelemetry import propagate
from service import Shop, tracer

from sayiir import WorkflowClient, init_tracing, shutdown_tracing

WORKERS = {"ada": "till", "bob": "store"}


async def click(shop: Shop) -> str:
    """Be a customer's browser, which traces, too: send one request, return the answer."""
    with tracer.start_as_current_span("buy a lamp"):
        headers: dict[str, str] = {}
        propagate.inject(headers)
        body = json.dumps({"id": "order-1", "item": "a lamp"}).encode()
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/orders",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        answers: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: dict[str, Any]) -> None:
            answers.append(message)

        await shop(scope, receive, send)
    return f"{answers[0]['status']} {answers[1]['body'].decode()}"


@contextmanager
def workers(url: str, folder: Path) -> Iterator[None]:
    """Run the worker processes; at the end they stop in good order, and send what is left."""
    processes = []
    for name, tags in WORKERS.items():
        with (folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "sayiir", "worker", "service:order", f"--tags={tags}"],
                cwd=Path(__file__).parent,
                env={**os.environ, "SAYIIR_DATABASE_URL": url, "OTEL_SERVICE_NAME": name},
                stdout=log,
                stderr=log,
            )
        processes.append(process)
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def main() -> None:
    """Send one order through, and draw its trace."""
    collector = Collector()
    os.environ.update(OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint, OTEL_METRICS_EXPORTER="none")
    init_tracing("shop")
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/shop.db"
        shop = Shop(url)
        with workers(url, Path(folder)):
            print("The shop answers:", asyncio.run(click(shop)))
            handle = WorkflowClient(shop.backend).handle("order-1")
            print("The workers made:", handle.result("60s"))
        shop.backend.close()
    shutdown_tracing()
    collector.close()
    print(f"\n{len(collector.spans)} spans of {len({it.trace for it in collector.spans})} trace:\n")
    print(*collector.drawn(), sep="\n")


if __name__ == "__main__":
    main()
