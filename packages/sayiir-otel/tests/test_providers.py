"""Setting up by the standard variables, each case in a process of its own: globals are for ever."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAD = """
import os, sys
from opentelemetry import metrics, trace
from sayiir import init_tracing, shutdown_tracing
from sayiir_otel import otel_instruments
def names():
    found = otel_instruments()
    return [type(it).__name__ for it in found.sinks], found.tracer is not None, found.exposition is not None
"""


def said(program: str, **variables: str) -> str:
    """Return what a process printed under these variables, and no others of OpenTelemetry."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", HEAD + program],
        env=kept | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (0, "") == (done.returncode, done.stderr), done.stderr
    return done.stdout


NO_EXPORT = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
CONSOLE = {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none"}


def test_without_a_provider_nothing_is_offered() -> None:
    """Nobody looks, so nobody pays."""
    assert "([], False, False)\n" == said("print(names())")


def test_nothing_is_set_up_where_no_exporter_is_wanted() -> None:
    """``none`` is an exporter of the specification; and the SDK may be switched off."""
    program = "init_tracing(); print(names()); shutdown_tracing()"

    assert "([], False, False)\n" == said(program, **NO_EXPORT)
    assert "([], False, False)\n" == said(program, OTEL_SDK_DISABLED="true")


def test_each_signal_is_offered_by_itself() -> None:
    """Traces without metrics, and metrics with an answer to scrapes without traces."""
    program = "init_tracing(); print(names())"
    prometheus = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "prometheus"}

    assert "(['OtelTracer'], True, False)\n" == said(program, **CONSOLE)
    assert "(['OtelMetrics'], False, True)\n" == said(program, **prometheus)


def test_setting_up_and_shutting_down_may_be_repeated() -> None:
    """The second call of each does nothing, and complains about nothing."""
    program = """
init_tracing("shop")
provider = trace.get_tracer_provider()
init_tracing("another")
assert provider is trace.get_tracer_provider()
print(provider.resource.attributes["service.name"])
shutdown_tracing(); shutdown_tracing()
"""

    assert "shop\n" == said(program, **CONSOLE)


@pytest.mark.parametrize(
    "variables",
    [{"OTEL_SERVICE_NAME": "said"}, {"OTEL_RESOURCE_ATTRIBUTES": "service.name=said"}],
    ids=["by-name", "among-attributes"],
)
def test_a_variable_outranks_the_argument(variables: dict[str, str]) -> None:
    """Whoever deploys has the last word."""
    program = """
init_tracing("argument")
print(trace.get_tracer_provider().resource.attributes["service.name"])
"""

    assert "said\n" == said(program, **CONSOLE, **variables)


def test_a_provider_of_the_application_stays() -> None:
    """It is used, and nothing is added to it."""
    program = """
from opentelemetry.sdk.trace import TracerProvider
mine = TracerProvider()
trace.set_tracer_provider(mine)
init_tracing()
print(mine is trace.get_tracer_provider(), len(mine._active_span_processor._span_processors))
"""

    assert "True 0\n" == said(program, **CONSOLE)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkun"}, "'zipkun'"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "smoke"}, "'smoke'"),
    ],
    ids=["exporter", "protocol"],
)
def test_what_nobody_has_is_refused_with_its_name(variables: dict[str, str], words: str) -> None:
    """A typing error would otherwise be silence."""
    program = """
try:
    init_tracing()
except ValueError as error:
    print(error)
"""

    assert words in said(program, **variables)


def test_spans_of_a_forked_child_are_exported_by_the_child() -> None:
    """The exporting thread does not follow into a fork, and is made anew."""
    program = """
init_tracing()
tracer = trace.get_tracer("t")
child = os.fork()
with tracer.start_as_current_span("child" if child == 0 else "parent"):
    pass
if child == 0:
    shutdown_tracing()
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
shutdown_tracing()
"""

    printed = said(program, **CONSOLE)

    assert [1, 1] == [printed.count(f'"name": "{name}"') for name in ("child", "parent")]


def test_opening_a_backend_loads_the_api_for_nobody_who_has_not() -> None:
    """Being installed costs no import."""
    program = (
        "import sys, sayiir\n"
        "backend = sayiir.open_backend('memory://')\n"
        "print(type(backend).__name__, 'opentelemetry' in sys.modules)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert "InMemoryBackend False\n" == done.stdout


def test_a_backend_is_observed_by_the_providers_that_are_set_when_it_is_opened() -> None:
    """One that is opened before stays as it is."""
    program = """
import sayiir
before = sayiir.open_backend("memory://")
init_tracing()
after = sayiir.open_backend("memory://")
print(type(before).__name__, type(after).__name__)
"""

    assert "InMemoryBackend ObservedBackend\n" == said(program, **CONSOLE)
