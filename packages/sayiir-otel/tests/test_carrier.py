"""A trace context survives being one text."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import baggage, trace
from opentelemetry.context import Context, get_current

from sayiir_otel.carrier import MOST_CHARACTERS, from_text, to_text

TRACE, SPAN = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331
PARENT = f"00-{TRACE:032x}-{SPAN:016x}-01"


def context(**state: str) -> Context:
    """Return a context with a remote span, sampled, and a tracestate."""
    span = trace.SpanContext(
        TRACE, SPAN, True, trace.TraceFlags(1), trace.TraceState(list(state.items()))
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(span), Context())


def identity(found: Context) -> tuple[Any, ...]:
    """Return what identifies a context."""
    span = trace.get_current_span(found).get_span_context()
    return span.trace_id, span.span_id, span.trace_flags, dict(span.trace_state)


def test_a_traceparent_alone_is_the_text() -> None:
    """Nothing is around it, so anybody else can read it, too."""
    assert PARENT == to_text(context())
    assert (TRACE, SPAN, 1, {}) == identity(from_text(PARENT))


def test_tracestate_and_baggage_come_along() -> None:
    """They are lines of their own, as headers would be."""
    sent = baggage.set_baggage("customer", "Ada, Countess", context(vendor="a1"))

    text = to_text(sent)
    found = from_text(text)

    assert text is not None
    assert 3 == len(text.splitlines())
    assert (TRACE, SPAN, 1, {"vendor": "a1"}) == identity(found)
    assert "Ada, Countess" == baggage.get_baggage("customer", found)


def test_baggage_that_is_too_long_is_left_behind() -> None:
    """Every claim carries the text, so it stays small; the trace itself is kept."""
    sent = baggage.set_baggage("blob", "x" * MOST_CHARACTERS, context())

    assert PARENT == to_text(sent)


def test_without_a_trace_there_is_no_text() -> None:
    """Store nothing."""
    assert to_text(Context()) is None


@pytest.mark.parametrize(
    "text", ["", "nonsense", "00-zz-zz-01", "a: b\nc", "\x00: \n:", "traceparent:"]
)
def test_a_text_that_nobody_understands_is_no_trace(text: str) -> None:
    """What is stored may come from another release or propagator."""
    assert not trace.get_current_span(from_text(text)).get_span_context().is_valid


def test_no_text_is_the_context_of_the_caller() -> None:
    """A run without a trace joins that of whoever resumes it."""
    assert get_current() == from_text(None)
