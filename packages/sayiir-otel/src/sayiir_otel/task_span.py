"""The span of a body that costs little where the body runs: it becomes one of the SDK when touched.

How this works: nearly no body asks for its own span; it is there for the spans below it, and for log lines,
which need its ids alone. So it has its ids at once, and is begun in the SDK, with these ids and its start, only
when somebody sets or reads more. One that nobody has touched is written out by the exporting thread.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Final, Protocol

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.util.types import AttributeValue

from sayiir_core.ports.telemetry import TaskCall
from sayiir_otel import attribute


class Maker(Protocol):
    """What begins such spans in the SDK, and takes those that have ended untouched."""

    def begin(self, span: TaskSpan) -> trace.Span:
        """Return a span of the SDK with the ids, the parent, the facts and the start of this one."""
        ...

    def take(self, span: TaskSpan) -> None:
        """Export a span that has ended, and that nobody has touched."""
        ...


def facts_of(call: TaskCall) -> dict[str, AttributeValue]:
    """Return the attributes of the span of a body.

    The stay above says some of it, too; but a search for spans of an instance looks at each alone.
    """
    node = call.node
    facts: dict[str, AttributeValue] = {
        attribute.WORKFLOW: node.run.workflow_id,
        attribute.INSTANCE: node.run.instance_id,
        attribute.TASK: node.path,
        attribute.ATTEMPT: call.attempt,
    }
    if node.turns:
        facts[attribute.TURNS] = node.turns
    return facts


_lock: Final = threading.Lock()


class TaskSpan(trace.Span):
    """A span below ``parent``, which is recorded; ``below`` is a context with that."""

    def __init__(
        self, maker: Maker, call: TaskCall, parent: trace.SpanContext, below: Context, span_id: int
    ) -> None:
        self.call = call
        self.parent_context = parent
        self.below = below
        self.began = time.time_ns()
        self.ended: int | None = None
        self.context: Final = trace.SpanContext(
            parent.trace_id, span_id, False, parent.trace_flags, parent.trace_state
        )
        self._maker = maker
        self._made: trace.Span | None = None

    def get_span_context(self) -> trace.SpanContext:
        """Return the ids."""
        return self.context

    def is_recording(self) -> bool:
        """Tell whether it has not ended."""
        made = self._made
        return self.ended is None if made is None else made.is_recording()

    def end(self, end_time: int | None = None) -> None:
        """End it, now or at a time in nanoseconds."""
        with _lock:
            made = self._made
            is_first = made is None and self.ended is None
            if is_first:
                self.ended = time.time_ns() if end_time is None else end_time
        if made is not None:
            made.end(end_time)
        elif is_first:
            self._maker.take(self)

    def set_attributes(self, attributes: Any) -> None:
        """Set attributes."""
        self._touched().set_attributes(attributes)

    def set_attribute(self, key: str, value: Any) -> None:
        """Set an attribute."""
        self._touched().set_attribute(key, value)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        """Add an event."""
        self._touched().add_event(name, attributes, timestamp)

    def add_link(self, context: trace.SpanContext, attributes: Any = None) -> None:
        """Add a link."""
        self._touched().add_link(context, attributes)

    def update_name(self, name: str) -> None:
        """Rename it."""
        self._touched().update_name(name)

    def set_status(self, status: Any, description: str | None = None) -> None:
        """Set the status."""
        self._touched().set_status(status, description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Any = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Record an exception as an event."""
        self._touched().record_exception(exception, attributes, timestamp, escaped)

    def __getattr__(self, name: str) -> Any:
        # What a span of the SDK has beside the API, as ``name`` and ``attributes``.
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._touched(), name)

    def _touched(self) -> trace.Span:
        with _lock:
            if self._made is None:
                if self.ended is not None:
                    return trace.NonRecordingSpan(self.context)
                self._made = self._maker.begin(self)
            return self._made
