"""The codec that is used where the caller names none."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar, cast

from sayiir_runtime.codec import JsonCodec, PayloadCodec

T = TypeVar("T")


@cache
def default_codec() -> PayloadCodec:
    """Return the JSON codec, made once: it keeps what it has learnt of annotated types."""
    return PayloadCodec([JsonCodec()])


def convert_to(value: Any, kind: type[T]) -> T:
    """Read a plain value as a type, just as a task that takes it would.

    Raises ``InvalidValueError`` if it does not fit.
    """
    codec = default_codec()
    return cast("T", codec.decode_as(codec.encode(value), kind))
