"""The envelope around every stored body, one for all codecs.

Byte by byte (``docs/format.md`` is the specification): two bytes of magic, the format version,
one byte whose high half is the length of the codec's name and whose low half are the codec's
flags, the name, the body. A writer joins a constant prefix and a body; a reader compares that
prefix and only looks closer when it differs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from sayiir_core.errors import (
    BadMagicError,
    CorruptPayloadError,
    TruncatedPayloadError,
    UnsupportedVersionError,
)

MAGIC: Final = b"\xf5S"
"""0xF5 occurs nowhere in UTF-8, so no text and no bare JSON can pass for a payload."""

VERSION: Final = 1
"""The format version that this release writes, and the newest that it reads."""

MAX_FLAGS: Final = 15

_FIXED: Final = len(MAGIC) + 2
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._+-]{0,14}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What stands before a body: the codec that wrote it, its flags, and where the body starts."""

    codec: str
    flags: int
    size: int


def header_bytes(codec: str, flags: int) -> bytes:
    """Return the bytes that precede a body.

    Raises ``ValueError`` for a codec name or flags that the format cannot hold.
    """
    if not _NAME.fullmatch(codec):
        raise ValueError(
            f"the codec name {codec!r} must have 1 to 15 characters of a-z, 0-9 and . _ + - and "
            f"begin with a letter or digit"
        )
    if not 0 <= flags <= MAX_FLAGS:
        raise ValueError(f"the flags of codec {codec!r} must be 0 to {MAX_FLAGS}, not {flags}")
    name = codec.encode("ascii")
    return MAGIC + bytes((VERSION, len(name) << 4 | flags)) + name


def parse_header(payload: bytes) -> Header:
    """Return what the payload says about its body.

    Raises ``BadMagicError``, ``UnsupportedVersionError``, ``TruncatedPayloadError`` or, for a
    codec name that cannot be one, ``CorruptPayloadError``.
    """
    _check_magic(payload)
    _check_version(payload)
    if len(payload) < _FIXED:
        raise _cut_short(payload)
    length, flags = payload[3] >> 4, payload[3] & MAX_FLAGS
    name = payload[_FIXED : _FIXED + length]
    if len(name) < length:
        raise _cut_short(payload)
    codec = name.decode("ascii", "replace")
    if not _NAME.fullmatch(codec):
        raise CorruptPayloadError(
            f"the payload names its codec {codec!r}, which no codec can be called: its header "
            f"was damaged after it was written; restore the row from a backup"
        )
    return Header(codec=codec, flags=flags, size=_FIXED + length)


def _check_magic(payload: bytes) -> None:
    start = payload[: len(MAGIC)]
    if start == MAGIC:
        return
    if MAGIC.startswith(start):
        raise _cut_short(payload)
    raise BadMagicError(
        f"not a payload of this library: it begins with {payload[:8].hex(' ')} instead of "
        f"{MAGIC.hex(' ')}; something else wrote it, or it was not stored as raw bytes"
    )


def _check_version(payload: bytes) -> None:
    if len(payload) <= len(MAGIC):
        raise _cut_short(payload)
    version = payload[len(MAGIC)]
    if version > VERSION:
        raise UnsupportedVersionError(
            f"the payload has format version {version} and this release reads up to {VERSION}: "
            f"upgrade sayiir-runtime here to the release that wrote it"
        )
    if version == 0:
        raise BadMagicError("not a payload of this library: format version 0 never existed")


def _cut_short(payload: bytes) -> TruncatedPayloadError:
    return TruncatedPayloadError(
        f"the payload ends after {len(payload)} bytes, inside its header: it was cut short after "
        f"it was written; restore the row from a backup, or run the instance again"
    )
