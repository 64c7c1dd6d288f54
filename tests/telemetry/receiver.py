"""A real receiver of OTLP, over gRPC and over HTTP, built on the official protocol buffers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_grpc

PATIENCE_SECONDS = 60.0


class Received:
    """What has arrived: spans and the names of metrics."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[Any] = []
        self.metrics: set[str] = set()
        self.services: set[str] = set()

    def take_traces(self, request: Any) -> None:
        """Keep the spans of a request."""
        with self._lock:
            for resource in request.resource_spans:
                facts = attributes(resource.resource)
                self.services.add(facts.get("service.name", ""))
                for scope in resource.scope_spans:
                    self._spans += scope.spans

    def take_metrics(self, request: Any) -> None:
        """Keep the names of the metrics of a request."""
        with self._lock:
            for resource in request.resource_metrics:
                for scope in resource.scope_metrics:
                    self.metrics |= {metric.name for metric in scope.metrics}

    def spans(self) -> list[Any]:
        """Return the spans that have arrived, in the order of their starts."""
        with self._lock:
            return sorted(self._spans, key=lambda span: span.start_time_unix_nano)

    def wait(self, condition: Callable[[list[Any]], bool]) -> list[Any]:
        """Return the spans once they fulfil a condition."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not condition(self.spans()):
            assert time.monotonic() < until, [span.name for span in self.spans()]
            time.sleep(0.05)
        return self.spans()


def attributes(thing: Any) -> dict[str, Any]:
    """Return the attributes of a span, a link, an event or a resource."""
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in thing.attributes
    }


class _Traces(trace_grpc.TraceServiceServicer):
    def __init__(self, received: Received) -> None:
        self._received = received

    def Export(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - the protocol
        self._received.take_traces(request)
        return trace_pb2.ExportTraceServiceResponse()


class _Metrics(metrics_grpc.MetricsServiceServicer):
    def __init__(self, received: Received) -> None:
        self._received = received

    def Export(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - the protocol
        self._received.take_metrics(request)
        return metrics_pb2.ExportMetricsServiceResponse()


@contextmanager
def grpc_receiver() -> Iterator[tuple[str, Received]]:
    """Receive over gRPC; give the address."""
    received = Received()
    server = grpc.server(ThreadPoolExecutor(4))
    trace_grpc.add_TraceServiceServicer_to_server(_Traces(received), server)
    metrics_grpc.add_MetricsServiceServicer_to_server(_Metrics(received), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}", received
    finally:
        server.stop(None).wait()


@contextmanager
def http_receiver() -> Iterator[tuple[str, Received]]:
    """Receive over HTTP; give the address."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            if self.path == "/v1/traces":
                received.take_traces(trace_pb2.ExportTraceServiceRequest.FromString(body))
            else:
                received.take_metrics(metrics_pb2.ExportMetricsServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
