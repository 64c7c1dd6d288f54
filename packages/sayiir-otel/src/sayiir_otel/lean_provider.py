"""The tracer provider of ``init_tracing``: the SDK's own, so set up that a step pays little for it.

How this works: spans go to the exporters of the SDK through its batch processor. Two things are added. A task's
span is begun in the SDK only when somebody touches it, as far as nothing that an application has added or a
variable asks for could tell the difference. And exporters, which would encode 512 spans at a stretch, get them a
few at a time with a short sleep in between, because whoever encodes holds the interpreter, and a run that is
back from its store waits for that.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, cast, overload

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ParentBased, ParentBasedTraceIdRatio
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from sayiir_core.ports.telemetry import TaskCall
from sayiir_otel import attribute
from sayiir_otel.segment import Segment
from sayiir_otel.task_span import TaskSpan, facts_of

MOST_SPANS: Final = 8_192
"""How many spans may wait, unless ``OTEL_BSP_MAX_QUEUE_SIZE`` says; a burst of a busy pool fits."""

PATIENCE_SECONDS: Final = 0.1
"""For how long the export of one batch gives way: else spans came faster than they go."""

_REST_SECONDS: Final = 0.02
_AT_A_STRETCH: Final = 4
_WAY_SECONDS: Final = 50e-6
_QUEUE_SIZE: Final = "OTEL_BSP_MAX_QUEUE_SIZE"
_SEEN_BY_VARIABLE: Final = ("_LIMIT", "_INTERNAL_METRICS_ENABLED")
"""Ends of variables under which the SDK looks at each span as it begins."""


class LeanProvider(TracerProvider):
    """Trace to some exporters; a processor that is added later sees every span as it begins."""

    def __init__(self, resource: Resource, exporters: Iterable[SpanExporter]) -> None:
        self._ids = _Ids()
        super().__init__(resource=resource, id_generator=self._ids)
        size = None if os.environ.get(_QUEUE_SIZE) else MOST_SPANS
        self._batches = [
            BatchSpanProcessor(_GivingWay(exporter, self.written), max_queue_size=size)
            for exporter in exporters
        ]
        for batches in self._batches:
            super().add_span_processor(batches)
        known = type(self.sampler) in (ParentBased, ParentBasedTraceIdRatio)
        self._is_lean = known and not any(
            name.startswith("OTEL_") and name.endswith(_SEEN_BY_VARIABLE) for name in os.environ
        )
        self._scope = InstrumentationScope(attribute.SCOPE, attribute.VERSION)
        self._said = _Said(resource)

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Add a processor, which shall see spans as they begin."""
        self._is_lean = False
        super().add_span_processor(span_processor)

    def start_task(self, call: TaskCall, segment: Segment) -> trace.Span | None:
        """Return a span for a body, None if it must be begun in the SDK."""
        parent = segment.span_context
        if not self._is_lean or not parent.trace_flags.sampled:
            return None
        return TaskSpan(self, call, parent, segment.context, self._ids.generate_span_id())

    def begin(self, span: TaskSpan) -> trace.Span:
        """Return a span of the SDK with the ids, the parent, the facts and the start of this one."""
        tracer = self.get_tracer(attribute.SCOPE, attribute.VERSION)
        with self._ids.next_is(span.context.span_id):
            return tracer.start_span(
                span.call.node.path,
                context=span.below,
                attributes=facts_of(span.call),
                start_time=span.began,
            )

    def take(self, span: TaskSpan) -> None:
        """Export a span that has ended, and that nobody has touched."""
        for batches in self._batches:
            batches.on_end(cast("ReadableSpan", span))

    def written(self, span: TaskSpan) -> ReadableSpan:
        """Return what an exporter takes of a span that has ended."""
        if self._said.said is not self.resource:
            # The SDK replaces it in a forked child.
            self._said = _Said(self.resource)
        return ReadableSpan(
            span.call.node.path,
            context=span.context,
            parent=span.parent_context,
            resource=self._said,
            attributes=facts_of(span.call),
            start_time=span.began,
            end_time=span.ended,
            instrumentation_scope=self._scope,
        )


class _Ids(RandomIdGenerator):
    """Random ids, but for one that is already given away."""

    def __init__(self) -> None:
        self._here = threading.local()

    def generate_span_id(self) -> int:
        given: int = self._here.__dict__.pop("given", 0)
        return given or super().generate_span_id()

    def next_is(self, span_id: int) -> _Given:
        return _Given(self._here, span_id)


class _Given:
    """Make the next span of this thread have an id."""

    def __init__(self, here: threading.local, span_id: int) -> None:
        self._here = here
        self._span_id = span_id

    def __enter__(self) -> None:
        self._here.given = self._span_id

    def __exit__(self, *_: object) -> None:
        # A sampler may have refused to ask for it.
        self._here.__dict__.pop("given", None)


class _Said(Resource):
    """A resource whose hash, which exporters ask for with each span, is computed once."""

    def __init__(self, said: Resource) -> None:
        super().__init__(said.attributes, said.schema_url)
        self.said = said
        self._hash = super().__hash__()

    def __eq__(self, other: object) -> bool:
        return self is other or super().__eq__(other)

    def __hash__(self) -> int:
        return self._hash


class _GivingWay(SpanExporter):
    """An exporter that gets the spans of a batch with pauses in between, unless it falls behind."""

    def __init__(self, exporter: SpanExporter, written: Callable[[TaskSpan], ReadableSpan]) -> None:
        self._exporter = exporter
        self._written = written
        self._ended = float("-inf")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        now = time.monotonic()
        until = now if now - self._ended < _REST_SECONDS else now + PATIENCE_SECONDS
        try:
            return self._exporter.export(_Spaced(spans, self._written, until))
        finally:
            self._ended = time.monotonic()

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class _Spaced(Sequence[ReadableSpan]):
    """Spans as exporters know them, with pauses while they are iterated, up to a moment."""

    def __init__(
        self,
        spans: Sequence[ReadableSpan],
        written: Callable[[TaskSpan], ReadableSpan],
        until: float,
    ) -> None:
        self._spans = spans
        self._written = written
        self._until = until

    def __len__(self) -> int:
        return len(self._spans)

    def __iter__(self) -> Iterator[ReadableSpan]:
        for position in range(len(self._spans)):
            if position % _AT_A_STRETCH == 0 and time.monotonic() < self._until:
                time.sleep(_WAY_SECONDS)
            yield self[position]

    @overload
    def __getitem__(self, index: int) -> ReadableSpan: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ReadableSpan]: ...
    def __getitem__(self, index: int | slice) -> ReadableSpan | Sequence[ReadableSpan]:
        if isinstance(index, slice):
            return _Spaced(self._spans[index], self._written, self._until)
        span: object = self._spans[index]
        return self._written(span) if isinstance(span, TaskSpan) else self._spans[index]
