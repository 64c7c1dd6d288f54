"""A trace context as one text: what is stored with a run, so that its workers can join the trace.

How this works: the application's own propagator writes headers, as it would for an HTTP request. If
that is ``traceparent`` alone, its value is the text; with ``tracestate``, baggage or the headers of another
propagator it is a line ``name: value`` for each.
"""

from __future__ import annotations

from typing import Final

from opentelemetry import propagate
from opentelemetry.context import Context, get_current

MOST_CHARACTERS: Final = 2048
"""What is longer is stored without its baggage: each claim of the run carries it."""

_PARENT: Final = "traceparent"


def to_text(context: Context) -> str | None:
    """Return a context as one text, None if it holds nothing that a propagator knows."""
    headers: dict[str, str] = {}
    propagate.inject(headers, context)
    text = _written(headers)
    if text is not None and len(text) > MOST_CHARACTERS:
        headers.pop("baggage", None)
        text = _written(headers)
    return text


def from_text(text: str | None) -> Context:
    """Return the context of a text; the caller's own if there is none or nobody can read it."""
    if not text:
        return get_current()
    if ":" not in text:
        headers = {_PARENT: text}
    else:
        pairs = (line.partition(":") for line in text.splitlines())
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return propagate.extract(headers, Context())


def _written(headers: dict[str, str]) -> str | None:
    if not headers:
        return None
    if headers.keys() == {_PARENT}:
        return headers[_PARENT]
    return "\n".join(f"{name}: {value}" for name, value in headers.items())
