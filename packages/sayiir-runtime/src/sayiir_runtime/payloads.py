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
    """Validate a plain value into a type; ``InvalidValueError`` if it does not fit."""
    form = default_codec().forms.of(kind)
    return cast("T", value if form is None else form.load(value))
