"""W14: what seeing costs a step: spans and metrics, exported as by default, beside a plain store.

Both sides run the same chain over one store, turn by turn. Exports go by OTLP over HTTP, with the
default batches and intervals, to a process that reads and forgets them.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from measure import Result, Settings, Target, seconds, take_turns
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from sayiir import Flow, InMemoryBackend, PostgresBackend, run_durable_workflow
from sayiir_core.ports.telemetry import Instruments
from sayiir_otel import OtelMetrics, OtelTracer
from sayiir_pytest.postgres_server import PostgresServer
from sayiir_runtime.telemetry.observed import with_instruments

_STEPS = 400
_COLLECTOR = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


def w14(settings: Settings) -> list[Result]:
    """Measure a store without and with a server."""
    with ExitStack() as stack:
        endpoint = stack.enter_context(_collector())
        instruments = stack.enter_context(_instruments(endpoint))
        results = _measured(settings, "memory", InMemoryBackend(), instruments, None)
        for what, fsync in (("PostgreSQL", True), ("PostgreSQL without fsync", False)):
            server = stack.enter_context(PostgresServer(fsync=fsync))
            backend = PostgresBackend(server.dsn)
            try:
                results += _measured(settings, what, backend, instruments, 1.10)
            finally:
                backend.close()
    return results


def _measured(
    settings: Settings, store: str, plain: Any, seen: Instruments, at_most: float | None
) -> list[Result]:
    steps = settings.size(_STEPS)
    sides: dict[str, Callable[[], float]] = {
        "ours": _side(with_instruments(plain, [seen]), steps),
        "off": _side(plain, steps),
        "nobody": _side(with_instruments(plain, [Instruments()]), steps),
    }
    times = take_turns(settings.repeats * 3, sides)
    nobody = {"ours": times["nobody"], "off": times["off"]}
    target = (
        Target(of="itself", at_most=150) if at_most is None else Target(of="off", at_most=at_most)
    )
    return [
        Result(workload="W14", what=what, unit="µs/step", times=these, target=wanted)
        for what, these, wanted in (
            (f"{store}: spans and metrics", times, target),
            (f"{store}: nobody looks", nobody, Target(of="off", at_most=1.02)),
        )
    ]


def _side(backend: Any, steps: int) -> Callable[[], float]:
    names = itertools.count()
    flow: Any = Flow[int, int]("seen")
    for number in range(steps):
        flow = flow.then(lambda value: value + 1, name=f"s{number}")
    workflow = flow.build()

    def side() -> float:
        name = f"{id(workflow)}-{next(names)}"
        took = seconds(lambda: run_durable_workflow(workflow, name, 0, backend))
        return took / steps * 1e6

    return side


@contextmanager
def _collector() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _COLLECTOR], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@contextmanager
def _instruments(endpoint: str) -> Iterator[Instruments]:
    traces = TracerProvider(shutdown_on_exit=False)
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{endpoint}/v1/metrics"))
    meters = MeterProvider([reader], shutdown_on_exit=False)
    tracer = OtelTracer(traces)
    try:
        yield Instruments(sinks=(tracer, OtelMetrics(meters)), tracer=tracer)
    finally:
        traces.shutdown()
        meters.shutdown()
