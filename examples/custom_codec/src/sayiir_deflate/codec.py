"""The codec: values as JSON text, which is then compressed."""

from __future__ import annotations

import zlib
from typing import Any

from sayiir_core.errors import CorruptPayloadError, TruncatedPayloadError
from sayiir_core.ports.codec import ValueForm
from sayiir_runtime.codec import JsonCodec

LARGEST = 256 * 1024 * 1024
"""The longest text in bytes that is read: a forged payload of few bytes may claim any length."""

_JSON = JsonCodec()


class DeflateCodec:
    """Store what the JSON codec stores, in fewer bytes; flags and values are that codec's."""

    name = "deflate"

    def encode(self, value: Any) -> tuple[int, bytes]:
        """Return the flags and the body."""
        flags, text = _JSON.encode(value)
        return flags, zlib.compress(text)

    def decode(self, payload: bytes, start: int, flags: int) -> Any:
        """Return the value of a body."""
        return _JSON.decode(_inflate(payload, start), 0, flags)

    def encode_as(self, value: Any, form: ValueForm) -> tuple[int, bytes]:
        """Return the flags and the body of a value of the form's type."""
        flags, text = _JSON.encode_as(value, form)
        return flags, zlib.compress(text)

    def decode_as(self, payload: bytes, start: int, flags: int, form: ValueForm) -> Any:
        """Return the value of the form's type."""
        return _JSON.decode_as(_inflate(payload, start), 0, flags, form)


def _inflate(payload: bytes, start: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(memoryview(payload)[start:], LARGEST)
    except zlib.error as error:
        raise CorruptPayloadError(f"the deflate payload was damaged: {error}") from None
    if not stream.eof and len(text) < LARGEST:
        raise TruncatedPayloadError(f"the deflate payload ends after {len(payload)} bytes")
    if not stream.eof or stream.unused_data or not text:
        raise CorruptPayloadError("the deflate payload is longer than what it holds, or empty")
    return text
