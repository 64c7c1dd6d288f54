"""W14: what seeing costs a step: spans and metrics, exported as by default, beside a plain store.

Each side is a process of its own, and they take turns. One set has the providers of an application, with the
defaults of the SDK, the other those of ``init_tracing``; a third keeps one trace in ten. Exports go by OTLP over HTTP to
a process that reads and forgets them. A chain in the caller's own thread waits for its store between
two steps; a worker's pool never waits, so there each microsecond counts. Rows named *CPU* say how
much processor time of all threads a step takes more than without, whether anybody waits for it or not.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from measure import Result, Settings, Target, take_turns
from pool import Child, Ours, drained
from pool_flows import STEPS as POOL_STEPS

from sayiir_pytest.postgres_server import PostgresServer

_CHILD = Path(__file__).with_name("w14_child.py")
_STEPS = 1_000
_INSTANCES = 2_000
_SERVER = {"shared_buffers": "512MB"}
_SAMPLED = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}
_LOOKING = {
    "application's providers": ("application", {}),
    "init_tracing": ("default", {}),
    "init_tracing, one trace in ten": ("default", _SAMPLED),
}
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

Turn = Callable[[Child], float]


def w14(settings: Settings) -> list[Result]:
    """Measure a chain without and with a server that syncs, and a busy pool over that."""
    steps, count = settings.size(_STEPS), settings.size(_INSTANCES)
    with ExitStack() as stack:
        endpoint = stack.enter_context(_collector())
        server = stack.enter_context(PostgresServer(fsync=True, settings=_SERVER))
        pooled = Ours(server.create_database("pool"))
        stack.callback(pooled.close)

        def chained(child: Child) -> float:
            return float(child.ask(f"chain {steps}")) / steps * 1e6

        def worked(child: Child) -> float:
            return drained(pooled, [child], "sync", count) / count / POOL_STEPS * 1e6

        server_dsn = server.create_database("chain")
        pool_steps = count * POOL_STEPS
        return [
            *_measured(settings, "memory", endpoint, "memory", chained, steps),
            *_measured(settings, "PostgreSQL", endpoint, server_dsn, chained, steps),
            *_measured(settings, "busy pool", endpoint, pooled.dsn, worked, pool_steps),
        ]


def _measured(
    settings: Settings, what: str, endpoint: str, dsn: str, turn: Turn, steps: int
) -> list[Result]:
    cpu: dict[str, list[float]] = {}

    def side(name: str, child: Child) -> Callable[[], float]:
        used = cpu.setdefault(name, [])

        def timed() -> float:
            before = float(child.ask("cpu"))
            took = turn(child)
            used.append((float(child.ask("cpu")) - before) / steps * 1e6)
            return took

        return timed

    with ExitStack() as stack:
        sides = {
            name: side(name, stack.enter_context(_child(kind, dsn, endpoint, variables)))
            for name, (kind, variables) in {
                "off": ("off", {}), "nobody looks": ("nobody", {}), **_LOOKING
            }.items()
        }  # fmt: skip
        times = take_turns(settings.repeats, sides)
    of_store = (
        Target(of="itself", at_most=150) if dsn == "memory" else Target(of="off", at_most=1.1)
    )
    results = [
        _result(
            f"{what}, {name}",
            {"ours": times[name], "off": times["off"]},
            Target(of="off", at_most=1.02) if name == "nobody looks" else of_store,
        )
        for name in ("nobody looks", *_LOOKING)
    ]
    for name in _LOOKING:
        more = [ours - off for ours, off in zip(cpu[name][1:], cpu["off"][1:], strict=True)]
        results.append(
            _result(f"{what}, {name}, CPU", {"ours": more}, Target(of="itself", at_most=150))
        )
    return results


def _result(what: str, times: dict[str, list[float]], target: Target) -> Result:
    return Result(workload="W14", what=what, unit="µs/step", times=times, target=target)


@contextmanager
def _child(kind: str, dsn: str, endpoint: str, variables: dict[str, str]) -> Iterator[Child]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("OTEL_")}
    environment = kept | {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint} | variables
    child = Child(kind, dsn, script=_CHILD, environment=environment)
    try:
        yield child
    finally:
        child.close()


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
