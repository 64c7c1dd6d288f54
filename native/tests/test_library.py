"""The doorway: errors by kind, nothing leaked, and a library that must fit."""

from __future__ import annotations

import resource
import uuid
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from native.tests.values import HEADER
from sayiir_core.errors import (
    CorruptPayloadError,
    EncodeError,
    TruncatedPayloadError,
    UnsupportedVersionError,
)
from sayiir_core.hookspecs import PROJECT_NAME
from sayiir_runtime.plugins import create_plugin_manager

if TYPE_CHECKING:
    from sayiir_rkyv import RkyvCodec

START = len(HEADER)


def repaired(payload: bytes) -> bytes:
    """Return the payload with the right length and checksum for its archive."""
    archive = payload[16:]
    return (
        payload[:8]
        + len(archive).to_bytes(4, "little")
        + zlib.crc32(archive).to_bytes(4, "little")
        + archive
    )


def test_each_kind_of_damage_has_its_error(codec: RkyvCodec) -> None:
    """Cut short, followed by more, flipped, flipped with the checksum repaired, from a later release."""
    payload = HEADER + codec.encode({"a": "text"})[1]
    flipped = payload[:-9] + b"\x0f" + payload[-8:]

    for size in range(START, len(payload)):
        with pytest.raises(TruncatedPayloadError, match="restore the row from a backup"):
            codec.decode(payload[:size], START, 0)
    with pytest.raises(CorruptPayloadError, match="1 bytes follow the archive"):
        codec.decode(payload + b"x", START, 0)
    with pytest.raises(CorruptPayloadError, match="the checksum is wrong"):
        codec.decode(flipped, START, 0)
    with pytest.raises(CorruptPayloadError, match="discriminant"):
        codec.view(repaired(flipped), START, 0)
    for flags in range(1, 16):
        with pytest.raises(UnsupportedVersionError, match="upgrade sayiir-rkyv"):
            codec.decode(payload, START, flags)


def test_a_scalar_of_a_later_release_is_told_from_damage(codec: RkyvCodec) -> None:
    """Upgrading helps, a backup would not."""
    payload = HEADER + codec.encode(uuid.UUID(int=2**127))[1]
    place = payload.index(uuid.UUID(int=2**127).bytes) + 16
    assert 8 == payload[place]
    later = repaired(payload[:place] + b"\x63" + payload[place + 1 :])

    with pytest.raises(UnsupportedVersionError, match="unknown extension type 99"):
        codec.decode(later, START, 0)
    with pytest.raises(UnsupportedVersionError, match="unknown extension type 99"):
        codec.view(later, START, 0)


def test_a_payload_may_stand_at_any_place_of_its_bytes(codec: RkyvCodec) -> None:
    """Behind any envelope: where the body begins is the caller's word."""
    body = codec.encode({"a": [1, "two"]})[1]

    for before in range(20):
        payload = b"x" * before + body
        assert {"a": [1, "two"]} == codec.decode(payload, before, 0)
        assert "two" == codec.view(payload, before, 0)["a"][1]
    with pytest.raises(TruncatedPayloadError):
        codec.decode(body, len(body) + 1, 0)


def test_what_is_no_packed_value_is_refused(codec: RkyvCodec) -> None:
    """The library does not trust its own Python half."""
    for packed in (b"", b"\xc1", b"\x92\x01", b"\xc0\xc0", b"\x81\x01\x01", b"\xa1\xff"):
        with pytest.raises(EncodeError, match="cannot be stored as an rkyv archive"):
            codec._library.encode(packed)


def test_a_hundred_thousand_calls_leak_nothing(codec: RkyvCodec) -> None:
    """Buffers are given back, by calls that fail too."""
    value = {"text": "x" * 1000, "list": [1, 2, 3]}
    payload = HEADER + codec.encode(value)[1]
    damaged = payload[:-1] + b"\x01"

    def turn() -> None:
        codec.encode(value)
        codec.decode(payload, START, 0)
        with pytest.raises(CorruptPayloadError):
            codec.decode(damaged, START, 0)

    for _ in range(2_000):
        turn()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(33_000):
        turn()

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8_000


@pytest.mark.parametrize("broken", ["ABI", "LAYOUT"])
def test_a_library_of_another_release_is_refused(
    codec: RkyvCodec, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two halves of two wheels would read wrong places."""
    from sayiir_rkyv import library

    other: Any = {"ABI": 99, "LAYOUT": (*library.LAYOUT[:-1], 99)}[broken]
    monkeypatch.setattr(library, broken, other)

    with pytest.raises(ImportError, match="force-reinstall"):
        library.Library()


def test_the_codec_is_found_as_a_plugin(codec: RkyvCodec) -> None:
    """Installing the distribution is enough."""
    plugins = create_plugin_manager()

    assert PROJECT_NAME == "sayiir"
    assert codec.name in plugins.codecs
    assert () == plugins.failures
