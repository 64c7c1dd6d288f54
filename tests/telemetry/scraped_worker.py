"""A worker process whose health port answers scrapes; says its port, and works until told to end."""

from __future__ import annotations

import sys

from sayiir import Flow, InMemoryBackend, PooledWorker, WorkflowClient, init_tracing
from sayiir_otel import otel_instruments
from sayiir_runtime.telemetry.observed import with_instruments

init_tracing("scraped")
backend = with_instruments(InMemoryBackend(), [otel_instruments()])
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
