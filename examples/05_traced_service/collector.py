"""A collector of our own: it receives OTLP over HTTP, and draws the traces that it got."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Seen(NamedTuple):
    """One span: when it began, its name and who sent it; its trace, itself and its parent."""

    began: int
    name: str
    service: str
    trace: bytes
    span: bytes
    parent: bytes


class Collector:
    """Listen on a free port of this host."""

    def __init__(self) -> None:
        self.spans: list[Seen] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector._take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        """Return where to send to."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop to listen."""
        self._server.shutdown()
        self._server.server_close()

    def drawn(self) -> Iterator[str]:
        """Yield the lines of a picture of all traces: who did what below what, in order."""
        children: defaultdict[bytes, list[Seen]] = defaultdict(list)
        for seen in sorted(self.spans):
            children[seen.parent].append(seen)
        pending = [(root, 0) for root in reversed(children[b""])]
        while pending:
            seen, depth = pending.pop()
            yield f"{'  ' * depth}{seen.name} ({seen.service})"
            pending += [(child, depth + 1) for child in reversed(children[seen.span])]

    def _take(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            facts = {it.key: it.value.string_value for it in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [
                    Seen(
                        span.start_time_unix_nano,
                        span.name,
                        facts["service.name"],
                        span.trace_id,
                        span.span_id,
                        span.parent_span_id,
                    )
                    for span in scope.spans
                ]
