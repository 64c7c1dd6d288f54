"""One process of W14, which runs chains or works for a pool, told by lines what to do.

Usage: w14_child.py KIND DSN

``KIND`` says who looks: ``off`` nobody, and no telemetry is asked for; ``nobody`` it is, and there is no
provider; ``application`` providers of the application with the SDK's defaults; ``default`` those of
``init_tracing``. ``DSN`` may be ``memory``. It says ``ready``, then reads: ``chain STEPS`` runs a chain and says
how many seconds it took; ``run FLOW...`` starts a worker and says ``running``, ``stop`` ends it and says
``stopped``; ``cpu`` passes on what sinks have not taken, and says how many seconds of processor all threads had.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from typing import Any

from chain import chain, inc
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from pool_flows import FLOWS

from sayiir import (
    InMemoryBackend,
    PooledWorker,
    PostgresBackend,
    WorkerHandle,
    init_tracing,
    run_durable_workflow,
)
from sayiir_core.ports.backend import Backend
from sayiir_otel import otel_instruments
from sayiir_runtime.telemetry import ObservedBackend, with_instruments


class Child:
    """A backend that is looked at in one way."""

    def __init__(self, kind: str, dsn: str) -> None:
        if kind == "application":
            _own_providers()
        elif kind == "default":
            init_tracing("w14")
        plain: Backend = InMemoryBackend() if dsn == "memory" else PostgresBackend(dsn)
        plain.open()
        self._backend = plain if kind == "off" else with_instruments(plain, [otel_instruments()])
        self._numbers = itertools.count()
        self._chains: dict[int, Any] = {}
        self._worker: WorkerHandle | None = None

    def chain(self, steps: int) -> float:
        """Run a chain; return how many seconds it took."""
        flow = self._chains.setdefault(steps, chain(inc, steps))
        name = f"{os.getpid()}-{next(self._numbers)}"
        start = time.perf_counter()
        run_durable_workflow(flow, name, 0, self._backend)
        return time.perf_counter() - start

    def run(self, names: list[str]) -> None:
        """Start a worker with its defaults, but for a name of its own."""
        worker = PooledWorker(f"w{os.getpid()}", self._backend)
        self._worker = worker.start([FLOWS[name] for name in names])

    def stop(self) -> None:
        """Stop the worker, and wait for the end."""
        if self._worker is not None:
            self._worker.shutdown()
            self._worker.join()

    def cpu(self) -> float:
        """Return how many seconds of processor all threads had."""
        if isinstance(self._backend, ObservedBackend):
            self._backend.outlet.flush(60)
        # An export that has begun ends; the spans of a batch that is not full stay for the next turn.
        time.sleep(0.2)
        return time.process_time()


def _own_providers() -> None:
    traces = TracerProvider()
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(traces)
    metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))


def main() -> None:
    """Obey the parent."""
    child = Child(*sys.argv[1:])
    _say("ready")
    for line in sys.stdin:
        word, *words = line.split()
        match word:
            case "chain":
                _say(str(child.chain(int(words[0]))))
            case "run":
                child.run(words)
                _say("running")
            case "cpu":
                _say(str(child.cpu()))
            case _:
                child.stop()
                _say("stopped")
    os._exit(0)


def _say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
