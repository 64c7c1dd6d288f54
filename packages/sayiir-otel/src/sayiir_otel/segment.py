"""The stays of runs in this process, each a span with the tasks of that stay under it.

How this works: the first body of a run opens a segment. It ends when the run is parked, has ended or is given
away while none of its bodies runs here; or, as another process may have taken what follows, when no
body has run for a while, and then at the end of the last one. So no span is open for as long as a run
sleeps. The next segment joins the same trace, and links to the one before if that was here.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import OrderedDict
from itertools import takewhile
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context

from sayiir_core.ids import RunId
from sayiir_core.ports.telemetry import RunPlace, TaskCall
from sayiir_otel import attribute
from sayiir_otel.carrier import from_text

MOST_PAST: Final = 10_000
IDLE_NANOSECONDS: Final = 5_000_000_000
_SWEEP_NANOSECONDS: Final = 500_000_000


class Segment:
    """One stay: its span, the context below it, and how many bodies are open."""

    __slots__ = ("context", "open", "run", "seen", "span", "span_context")

    def __init__(self, run: RunPlace, span: trace.Span, context: Context, now: int) -> None:
        self.run = run
        self.span = span
        self.span_context = span.get_span_context()
        self.context = context
        self.open = 0
        self.seen = now


class Segments:
    """The open segments of this process, the one used longest ago first."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer
        self._begin()
        _living.add(self)

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._open: OrderedDict[RunId, Segment] = OrderedDict()
        self._past: OrderedDict[RunId, trace.SpanContext] = OrderedDict()
        self._swept = 0

    def enter(self, call: TaskCall) -> Segment:
        """Return the segment of a body that begins."""
        if self._pid != os.getpid():
            # What is open belongs to the parent, which ends it.
            self._begin()
        now = time.time_ns()
        run = call.node.run
        with self._lock:
            if now > self._swept + _SWEEP_NANOSECONDS:
                self._sweep(now)
            segment = self._open.get(run.run_id)
            if segment is None:
                segment = self._open[run.run_id] = self._start(run, call.trace_parent, now)
            else:
                self._open.move_to_end(run.run_id)
            segment.open += 1
            segment.seen = now
        return segment

    def leave(self, segment: Segment) -> None:
        """Note that a body has ended."""
        with self._lock:
            segment.open -= 1
            segment.seen = time.time_ns()

    def rest(self, run: RunPlace) -> None:
        """End the segment of a run, unless a body of it is open."""
        if self._pid != os.getpid():
            return
        now = time.time_ns()
        with self._lock:
            segment = self._open.get(run.run_id)
            if segment is not None and segment.open == 0:
                self._end(segment, now)

    def sweep(self) -> None:
        """End what has been idle for a while."""
        if self._pid == os.getpid():
            with self._lock:
                self._sweep(time.time_ns())

    def close(self) -> None:
        """End everything."""
        if self._pid == os.getpid():
            with self._lock:
                for segment in list(self._open.values()):
                    self._end(segment, segment.seen)

    def _start(self, run: RunPlace, trace_parent: str | None, now: int) -> Segment:
        parent = from_text(trace_parent)
        span = self._tracer.start_span(
            f"run {run.workflow_id}",
            context=parent,
            kind=trace.SpanKind.CONSUMER,
            links=self._links(run, parent),
            start_time=now,
            attributes={
                attribute.WORKFLOW: run.workflow_id,
                attribute.INSTANCE: run.instance_id,
                attribute.RUN: run.run_id,
                attribute.SYSTEM: attribute.SCOPE,
                attribute.OPERATION: "run",
                attribute.OPERATION_TYPE: "process",
                attribute.DESTINATION: run.workflow_id,
                attribute.MESSAGE: run.instance_id,
            },
        )
        return Segment(run, span, trace.set_span_in_context(span, parent), now)

    def _links(self, run: RunPlace, parent: Context) -> list[trace.Link]:
        """Link to the stay before, and to the trace of whoever resumes here, if that is another."""
        links: list[trace.Link] = []
        past = self._past.get(run.run_id)
        if past is not None:
            links.append(trace.Link(past, {attribute.LINK: "previous"}))
        here = trace.get_current_span().get_span_context()
        stored = trace.get_current_span(parent).get_span_context()
        if here.is_valid and here.trace_id != stored.trace_id:
            links.append(trace.Link(here, {attribute.LINK: "resumer"}))
        return links

    def _sweep(self, now: int) -> None:
        self._swept = now
        stale = now - IDLE_NANOSECONDS
        for segment in list(takewhile(lambda it: it.seen <= stale, self._open.values())):
            if segment.open:
                segment.seen = now
                self._open.move_to_end(segment.run.run_id)
            else:
                self._end(segment, segment.seen)

    def _end(self, segment: Segment, at: int) -> None:
        del self._open[segment.run.run_id]
        self._past[segment.run.run_id] = segment.span_context
        if len(self._past) > MOST_PAST:
            self._past.popitem(last=False)
        segment.span.end(end_time=at)


_living: Final[weakref.WeakSet[Segments]] = weakref.WeakSet()


def close_segments() -> None:
    """End all open segments of this process."""
    for segments in list(_living):
        segments.close()
