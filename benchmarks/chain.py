"""The workflows that are measured: chains of small steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sayiir import Flow

STEPS = 10


def inc(x: int) -> int:
    return x + 1


def same(x: Any) -> Any:
    return x


def chain(function: Callable[..., Any], steps: int = STEPS) -> Any:
    """Return a chain of one function."""
    flow: Any = Flow("chain")
    for number in range(steps):
        flow = flow.then(function, name=f"s{number}")
    return flow.build()


def document() -> dict[str, Any]:
    """Return a document of about 1 KiB of JSON, as applications have them."""
    lines = [
        {"sku": f"article-{number:04}", "count": number, "price": number * 1.25, "gift": False}
        for number in range(15)
    ]
    customer = {"name": "Grace", "mail": "grace@example.org"}
    return {"order": "A-17", "customer": customer, "lines": lines}
