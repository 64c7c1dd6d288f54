"""A task's span that the SDK begins only when touched: nobody but the clock may tell the difference."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sayiir import CheckpointingRunner, Flow, InMemoryBackend
from sayiir_core.ports.telemetry import Instruments
from sayiir_otel import OtelTracer, lean_provider
from sayiir_otel.lean_provider import LeanProvider
from sayiir_otel.task_span import TaskSpan
from sayiir_runtime.telemetry.observed import with_instruments


class Scene:
    """A provider that exports into memory, and runs of a task over a store that it observes."""

    def __init__(self, provider: TracerProvider, exporter: InMemorySpanExporter) -> None:
        self.provider = provider
        self.exporter = exporter
        tracer = OtelTracer(provider)
        instruments = Instruments(sinks=(tracer,), tracer=tracer)
        self.store = with_instruments(InMemoryBackend(), [instruments])

    def run(self, body: Callable[[int], int], instance: str = "one") -> dict[str, ReadableSpan]:
        """Run one task ``body``; return the spans by name, of which each is there once."""
        flow = Flow[int, int]("order").then(body, name="body").build()
        CheckpointingRunner(self.store).run(flow, instance, 1)
        return self.spans()

    def spans(self) -> dict[str, ReadableSpan]:
        """Return the spans by name, of which each is there once."""
        self.provider.force_flush()
        found = self.exporter.get_finished_spans()
        named = {span.name: span for span in found}
        assert len(found) == len(named)
        return named


@pytest.fixture
def lean() -> Iterator[Scene]:
    """Set the scene with the lean provider."""
    exporter = InMemorySpanExporter()
    scene = Scene(LeanProvider(Resource.create({"service.name": "shop"}), [exporter]), exporter)
    yield scene
    scene.provider.shutdown()


def current(seen: list[trace.Span]) -> Callable[[int], int]:
    """Return a body that keeps its span."""

    def body(value: int) -> int:
        seen.append(trace.get_current_span())
        return value

    return body


def test_an_untouched_span_is_written_as_the_sdk_writes_it(lean: Scene) -> None:
    """Byte for byte, but for ids, times and the order of resources."""
    exporter = InMemorySpanExporter()
    plain = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    plain.add_span_processor(BatchSpanProcessor(exporter))
    seen: list[trace.Span] = []
    ours = lean.run(current(seen))["body"]
    theirs = Scene(plain, exporter).run(current(seen))["body"]
    plain.shutdown()

    assert [TaskSpan, False] == [type(seen[0]), isinstance(seen[1], TaskSpan)]
    assert ours.context == seen[0].get_span_context()
    assert (ours.start_time or 0) <= (ours.end_time or 0) <= time.time_ns()
    written = [encode_spans([span]).resource_spans[0] for span in (ours, theirs)]
    assert written[0].resource == written[1].resource
    assert written[0].scope_spans[0].scope == written[1].scope_spans[0].scope
    spans = [scope.scope_spans[0].spans[0] for scope in written]
    for span in spans:
        for field in ("trace_id", "span_id", "parent_span_id"):
            assert getattr(span, field)
            span.ClearField(field)
        span.ClearField("start_time_unix_nano")
        span.ClearField("end_time_unix_nano")
    assert spans[0] == spans[1]


def touch_attribute(span: Any) -> None:
    span.set_attribute("paid", 3)


def touch_attributes(span: Any) -> None:
    span.set_attributes({"paid": 3})


def touch_event(span: Any) -> None:
    span.add_event("paid", {"paid": 3})


def touch_name(span: Any) -> None:
    span.update_name("paid")


def touch_status(span: Any) -> None:
    span.set_status(trace.StatusCode.ERROR, "not paid")


def touch_exception(span: Any) -> None:
    span.record_exception(ValueError("not paid"))


def touch_link(span: Any) -> None:
    span.add_link(trace.SpanContext(1, 2, is_remote=False))


@pytest.mark.parametrize(
    ("touch", "shown"),
    [
        (touch_attribute, lambda span: span.attributes["paid"] == 3),
        (touch_attributes, lambda span: span.attributes["paid"] == 3),
        (touch_event, lambda span: [event.name for event in span.events] == ["paid"]),
        (touch_name, lambda span: span.name == "paid"),
        (touch_status, lambda span: span.status.description == "not paid"),
        (touch_exception, lambda span: [event.name for event in span.events] == ["exception"]),
        (touch_link, lambda span: [link.context.span_id for link in span.links] == [2]),
    ],
)
def test_what_a_body_says_of_its_span_is_there(
    lean: Scene, touch: Callable[[Any], None], shown: Callable[[ReadableSpan], bool]
) -> None:
    """With the ids that those below have named already, and told once."""
    user = lean.provider.get_tracer("shop")
    ids: list[trace.SpanContext] = []

    def body(value: int) -> int:
        span = trace.get_current_span()
        with user.start_as_current_span("before"):
            ids.append(span.get_span_context())
        touch(span)
        assert span.is_recording()
        with user.start_as_current_span("after"):
            return value

    found = lean.run(body)

    (told,) = [span for span in found.values() if span.context == ids[0]]
    assert shown(told)
    assert {told.context.span_id} == {
        span.parent.span_id for name in ("before", "after") if (span := found[name]).parent
    }
    assert told.parent == found["run order"].context
    assert (told.attributes or {})["sayiir.task.path"] == "body"
    assert (told.start_time or 0) <= (found["before"].start_time or 0)


def test_a_span_of_the_sdk_can_be_read_as_such(lean: Scene) -> None:
    """Some read what the API does not offer."""
    seen: list[Any] = []

    def body(value: int) -> int:
        span: Any = trace.get_current_span()
        seen.extend((span.name, dict(span.attributes)["sayiir.instance.id"]))
        return value

    lean.run(body)

    assert ["body", "one"] == seen


def test_an_ended_span_stays_as_it_was(lean: Scene) -> None:
    """A thread that a body has left behind may still hold it."""
    seen: list[trace.Span] = []
    lean.run(current(seen))

    seen[0].set_attribute("late", 1)
    seen[0].end()

    assert not seen[0].is_recording()
    assert "late" not in (lean.spans()["body"].attributes or {})


def test_a_body_may_end_its_span_itself(lean: Scene) -> None:
    """It is told once, however often it is ended."""

    def body(value: int) -> int:
        trace.get_current_span().end()
        return value

    assert "body" in lean.run(body)


class Watching(SpanProcessor):
    """A processor that an application adds, to see spans as they begin."""

    def __init__(self) -> None:
        self.began: list[tuple[str, str]] = []

    def on_start(self, span: Span, parent_context: Any = None) -> None:  # noqa: ARG002
        """Note a span and the thread where it begins."""
        self.began.append((span.name, threading.current_thread().name))


def test_a_processor_of_the_application_sees_tasks_begin_where_they_run(lean: Scene) -> None:
    """Whoever shows what is running now needs that."""
    watching = Watching()
    lean.provider.add_span_processor(watching)
    seen: list[trace.Span] = []

    lean.run(current(seen))

    assert not isinstance(seen[0], TaskSpan)
    assert ("body", threading.current_thread().name) in watching.began


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "2"),
        ("OTEL_TRACES_SAMPLER", "always_on"),
    ],
)
def test_what_the_sdk_decides_for_each_span_it_decides(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """Limits, and samplers that do not follow the parent."""
    monkeypatch.setenv(variable, value)
    exporter = InMemorySpanExporter()
    scene = Scene(LeanProvider(Resource.create(), [exporter]), exporter)
    seen: list[trace.Span] = []

    span = scene.run(current(seen))["body"]
    scene.provider.shutdown()

    assert not isinstance(seen[0], TaskSpan)
    assert (2 if "LIMIT" in variable else 4) == len(span.attributes or {})


def test_what_is_not_sampled_costs_and_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stay decides for its tasks, and those for what is below."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    exporter = InMemorySpanExporter()
    scene = Scene(LeanProvider(Resource.create(), [exporter]), exporter)
    seen: list[trace.Span] = []

    assert {} == scene.run(current(seen))
    scene.provider.shutdown()

    assert seen[0].get_span_context().is_valid
    assert not seen[0].is_recording()


class Walking(SpanExporter):
    """An exporter that looks at each span."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Look."""
        assert len(spans) == len(list(spans)) == len(spans[:])
        return SpanExportResult.SUCCESS


def test_an_exporter_gives_way_within_a_batch_unless_it_falls_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise a run that is back from its store waits until 512 spans are encoded."""
    pauses: list[float] = []
    monkeypatch.setattr(lean_provider.time, "sleep", pauses.append)
    spans = [ReadableSpan(f"s{number}") for number in range(40)]
    exporter = lean_provider._GivingWay(Walking(), lambda span: pytest.fail(str(span)))

    exporter.export(spans)
    first = len(pauses)
    exporter.export(spans)

    assert 10 == first == len(pauses)
    assert min(pauses) > 0
