"""A caller with a span of its own that submits a run: URL of the store."""

from __future__ import annotations

import sys

from opentelemetry import trace
from traced_flows import workflow

from sayiir import WorkflowClient, init_tracing, open_backend, shutdown_tracing

init_tracing("shop")
init_tracing("shop again")
backend = open_backend(sys.argv[1])
with trace.get_tracer("shop").start_as_current_span("POST /orders"):
    WorkflowClient(backend).submit(workflow, "order-1", 1)
backend.close()
shutdown_tracing()
shutdown_tracing()
