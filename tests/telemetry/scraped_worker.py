"""A worker process whose health port answers scrapes; says its port, and works until told to end."""

from __future__ import annotations

import sys

from sayiir import Flow, PooledWorker, WorkflowClient, init_tracing, open_backend

init_tracing("scraped")
backend = open_backend("memory://")
flow = Flow[int, int]("billing").then(abs, name="charge").build()
client = WorkflowClient(backend)
with PooledWorker("w", backend, health_port=0).start([flow]) as handle:
    for number in range(5):
        assert client.submit(flow, f"bill-{number}", -number).result("30s") == number
    assert handle.health_address is not None
    sys.stdout.write(f"{handle.health_address[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()
backend.close()
