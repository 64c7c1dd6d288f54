"""The tracer: a span around each submit and each body, on the application's own provider."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Sequence
from contextvars import Token
from typing import Any, Final

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.util.types import AttributeValue

from sayiir_core.ports.telemetry import Event, LeaseLost, LeaseRenewed, RunPlace, TaskCall
from sayiir_otel import attribute
from sayiir_otel.carrier import to_text
from sayiir_otel.segment import Segment, Segments
from sayiir_otel.task_span import facts_of

StartTask = Callable[[TaskCall, Segment], trace.Span | None]
_Opened = tuple[trace.Span, Token[Context] | None, Segment | None]


class OtelTracer:
    """Open spans: ``submit …`` (producer), ``run …`` (consumer), and one per body of a task.

    Inside a body its span is the current one, so that the user's own spans and log lines are below it. As
    a sink it ends the segments of runs that have gone on elsewhere.
    """

    def __init__(self, provider: trace.TracerProvider | None = None) -> None:
        chosen = trace.get_tracer_provider() if provider is None else provider
        # Heartbeats, which come for as long as a worker lives.
        self.kinds: Final[frozenset[type]] = frozenset({LeaseRenewed, LeaseLost})
        self._tracer: Final = chosen.get_tracer(attribute.SCOPE, attribute.VERSION)
        # A provider of ``init_tracing`` has a cheaper way; it is of the SDK, which may not be here.
        self._start_task: StartTask | None = getattr(chosen, "start_task", None)
        self._segments: Final = Segments(self._tracer)
        # Before the provider's own, which is older and would export without them.
        atexit.register(self._segments.close)

    def submit(self, runs: Sequence[RunPlace]) -> tuple[Any, str | None]:
        """Open a span around the creation of runs, below the caller's."""
        workflows = sorted({run.workflow_id for run in runs})
        facts: dict[str, AttributeValue] = {
            attribute.SYSTEM: attribute.SCOPE,
            attribute.OPERATION: "submit",
            attribute.OPERATION_TYPE: "send",
        }
        if len(workflows) == 1:
            facts[attribute.WORKFLOW] = facts[attribute.DESTINATION] = workflows[0]
        if len(runs) == 1:
            facts[attribute.INSTANCE] = facts[attribute.MESSAGE] = runs[0].instance_id
            facts[attribute.RUN] = runs[0].run_id
        else:
            facts[attribute.MESSAGES] = len(runs)
        name = f"submit {workflows[0]}" if len(workflows) == 1 else "submit"
        span = self._tracer.start_span(name, kind=trace.SpanKind.PRODUCER, attributes=facts)
        opened: _Opened = span, None, None
        return opened, to_text(trace.set_span_in_context(span))

    def enter(self, call: TaskCall) -> Any:
        """Open the span of a body, and make it the current one."""
        segment = self._segments.enter(call)
        span = None if self._start_task is None else self._start_task(call, segment)
        if span is None:
            span = self._tracer.start_span(
                call.node.path, context=segment.context, attributes=facts_of(call)
            )
        token = context_api.attach(trace.set_span_in_context(span, segment.context))
        opened: _Opened = span, token, segment
        return opened

    def leave(self, token: Any, error: BaseException | None) -> None:
        """End a span, with the exception that ended what it is around."""
        opened: _Opened = token
        span, attached, segment = opened
        if attached is not None:
            context_api.detach(attached)
        if error is not None:
            span.record_exception(error)
            span.set_attribute(attribute.ERROR_TYPE, type(error).__qualname__)
            span.set_status(trace.Status(trace.StatusCode.ERROR, str(error)))
        span.end()
        if segment is not None:
            self._segments.leave(segment)

    def rest(self, run: RunPlace) -> None:
        """End the segment of a run that does not go on here."""
        self._segments.rest(run)

    def receive(self, events: Sequence[Event]) -> None:  # noqa: ARG002 - each is an occasion
        """End the segments that have been idle."""
        self._segments.sweep()

    def close(self) -> None:
        """End all segments."""
        self._segments.close()
