"""What to tell somebody whose value cannot be stored: what it is, and what to do instead."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import inspect
import uuid
from collections.abc import Iterator, Sequence
from typing import Final

_MAX_PATH: Final = 200

_ANNOTATE: Final = "annotate the task with the type (needs sayiir[pydantic])"

_INSTEAD: Final[tuple[tuple[type, str], ...]] = (
    (dt.datetime, "value.isoformat()"),
    (dt.date, "value.isoformat()"),
    (dt.time, "value.isoformat()"),
    (dt.timedelta, "value.total_seconds()"),
    (decimal.Decimal, "str(value)"),
    (uuid.UUID, "str(value)"),
    (enum.Enum, "value.value"),
    (bytes, "base64 text"),
    (bytearray, "base64 text"),
    (set, "list(value)"),
    (frozenset, "list(value)"),
)

_BASES: Final = (bool, int, float, str, list, tuple, dict)


def describe_refusal(path: str, value: object) -> str:
    """Return the sentence for a value that no rule of the value model covers."""
    kind = type(value)
    name = kind.__qualname__
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    return f"{path}: {name} is not a plain JSON value; {_remedy(value)}"


def describe_rich_refusal(path: str, value: object) -> str:
    """Return the sentence for a value that the rich model does not cover."""
    kind = type(value)
    name = kind.__qualname__
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    return f"{path}: {name} is not a value that this codec stores; {_remedy(value)}"


def join_path(keys: Sequence[object]) -> str:
    """Return a readable place inside a value, like ``$.orders[3].when``."""
    parts = ["$"]
    for key in keys:
        if isinstance(key, int):
            parts.append(f"[{key}]" if key.bit_length() < 64 else "[…]")
        elif isinstance(key, str) and key.isidentifier():
            parts.append(f".{key}")
        else:
            parts.append(f"[{key!a}]")
    path = "".join(parts)
    return path if len(path) <= _MAX_PATH else f"{path[:_MAX_PATH]}…"


def _remedy(value: object) -> str:
    kind = type(value)
    for known, instead in _INSTEAD:
        if isinstance(value, known):
            return f"{_ANNOTATE}, or return {instead}"
    if dataclasses.is_dataclass(kind):
        return "install sayiir[pydantic] to store dataclasses, or return dataclasses.asdict(value)"
    if isinstance(value, tuple):
        return f"{_ANNOTATE}, or return tuple(value)"
    for base in _BASES:
        if isinstance(value, base):
            return f"return {base.__name__}(value)"
    if inspect.isawaitable(value):
        return "await it, or make the task async"
    if isinstance(value, Iterator):
        return "return list(value)"
    return "return None, bool, int, float, str, list or dict, or annotate the task with a model"
