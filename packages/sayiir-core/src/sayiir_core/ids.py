"""Identifiers, their limits, and the gate that checks them."""

from __future__ import annotations

import struct
from typing import NamedTuple, NewType

InstanceId = NewType("InstanceId", str)
RunId = NewType("RunId", str)
WorkflowId = NewType("WorkflowId", str)
SessionId = NewType("SessionId", str)


class RunKey(NamedTuple):
    """Name one run of an instance: a later run of the same id has another key."""

    instance_id: InstanceId
    run_id: RunId


Index = tuple[int, ...]
"""One number per enclosing loop turn, outermost first; its length is static per node."""

MAX_ID_BYTES = 256


def check_instance_id(value: str) -> InstanceId:
    """Return the id if it is 1 to 256 bytes of UTF-8 without NUL (SEMANTICS 26).

    Raises ``TypeError`` for something else than a string and ``ValueError`` for a bad one.
    """
    return InstanceId(_check(value, "instance id"))


def check_name(value: str, what: str) -> str:
    """Return a signal, label or worker name that obeys the limits of an instance id."""
    return _check(value, what)


def _check(value: str, what: str) -> str:
    if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{what} must be a string, not {type(value).__name__}")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise ValueError(f"{what} {value!r} has a lone surrogate, which UTF-8 lacks") from None
    if not 1 <= size <= MAX_ID_BYTES:
        raise ValueError(f"{what} must have 1 to {MAX_ID_BYTES} bytes of UTF-8, not {size}")
    if "\0" in value:
        raise ValueError(f"{what} {value!r} has a NUL character, which stores refuse")
    return value


def pack_index(index: Index) -> bytes:
    """Return four big-endian bytes per number, so that bytes compare as indexes do."""
    return struct.pack(f">{len(index)}I", *index) if index else b""


def unpack_index(packed: bytes) -> Index:
    """Invert ``pack_index``."""
    return struct.unpack(f">{len(packed) // 4}I", packed) if packed else ()


def sanitize_text(text: str) -> str:
    """Replace what a store refuses, NUL and lone surrogates, so that an error text always fits."""
    clean = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return clean.encode("utf-8", "replace").decode("utf-8")
