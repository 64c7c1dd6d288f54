"""The port of a worker: ``/live``, ``/ready`` and ``/metrics`` over HTTP, for probes and scrapes."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from sayiir_runtime.health.checkup import Checkup
from sayiir_runtime.telemetry.observed import Exposition

logger = logging.getLogger("sayiir.health")

_PATIENCE_SECONDS: Final = 5.0
_TEXT: Final = "text/plain; charset=utf-8"
_NO_METRICS: Final = (
    b"no metrics are collected here: install sayiir[otel] and sayiir-otel[prometheus], and set "
    b"OTEL_METRICS_EXPORTER=prometheus\n"
)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer."""

    status: HTTPStatus
    content_type: str
    body: bytes


class HealthServer:
    """Answer probes on a daemon thread of its own until closed.

    ``host`` is loopback unless others shall reach it; port 0 takes any free one. Raises
    ``OSError`` if the port is taken.
    """

    def __init__(
        self,
        look: Callable[[], Checkup],
        exposition: Exposition | None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._look = look
        self._exposition = exposition
        self._server = _Server((host, port), _handler(self._page))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="sayiir-health", daemon=True
        )

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port."""
        host, port = self._server.server_address[:2]
        return str(host), port

    def start(self) -> None:
        """Start to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop to answer, and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()

    def _page(self, path: str, accept: str) -> Page:
        match path.partition("?")[0]:
            case "/live":
                checkup = self._look()
                return _verdict(checkup, is_fine=checkup.is_live)
            case "/ready":
                checkup = self._look()
                return _verdict(checkup, is_fine=checkup.is_ready)
            case "/metrics":
                return self._metrics(accept)
            case _:
                return Page(HTTPStatus.NOT_FOUND, _TEXT, b"there are /live, /ready and /metrics\n")

    def _metrics(self, accept: str) -> Page:
        if self._exposition is None:
            return Page(HTTPStatus.NOT_FOUND, _TEXT, _NO_METRICS)
        return Page(HTTPStatus.OK, *self._exposition(accept))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        logger.debug("a probe was not answered: %r", sys.exception())


def _verdict(checkup: Checkup, *, is_fine: bool) -> Page:
    status = HTTPStatus.OK if is_fine else HTTPStatus.SERVICE_UNAVAILABLE
    said = {"status": checkup.health.value, "checks": checkup.checks}
    return Page(status, "application/json", json.dumps(said).encode() + b"\n")


def _handler(page_of: Callable[[str, str], Page]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """One request, answered in a thread of its own."""

        timeout = _PATIENCE_SECONDS

        def do_GET(self) -> None:
            page = page_of(self.path, self.headers.get("Accept", ""))
            self.send_response(page.status)
            self.send_header("Content-Type", page.content_type)
            self.send_header("Content-Length", str(len(page.body)))
            self.end_headers()
            self.wfile.write(page.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base
            logger.debug(format, *args)

    return Handler
