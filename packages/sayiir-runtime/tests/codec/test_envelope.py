"""The envelope: its bytes, and the four ways in which bytes can fail to be one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayiir_core.errors import (
    BadMagicError,
    CorruptPayloadError,
    PayloadError,
    TruncatedPayloadError,
    UnknownCodecError,
    UnsupportedVersionError,
)
from sayiir_runtime.codec import JsonCodec, PayloadCodec
from sayiir_runtime.codec.envelope import Header, header_bytes, parse_header

names = st.from_regex(r"[a-z0-9][a-z0-9._+-]{0,14}", fullmatch=True)
flags = st.integers(min_value=0, max_value=15)


@given(names, flags, st.binary())
def test_a_header_says_what_it_was_made_of(codec: str, flag: int, body: bytes) -> None:
    """Codec name, flags and the start of the body come back, whatever the body."""
    header = header_bytes(codec, flag)

    expected = Header(codec=codec, flags=flag, size=4 + len(codec))
    assert expected == parse_header(header + body)


@given(names, flags)
def test_a_header_cut_anywhere_is_truncated(codec: str, flag: int) -> None:
    """Every proper prefix of a header, the empty one too, is told from foreign bytes."""
    header = header_bytes(codec, flag)

    for size in range(len(header)):
        with pytest.raises(TruncatedPayloadError, match=f"ends after {size} bytes"):
            parse_header(header[:size])


def test_a_json_payload_costs_nine_bytes_around_its_text() -> None:
    """Eight of header and one end mark; the format is frozen."""
    payload = PayloadCodec([JsonCodec()]).encode(7)

    assert bytes.fromhex("f5 53 01 40 6a 73 6f 6e") + b"7\n" == payload


@pytest.mark.parametrize("name", ["", "Json", "a b", "-a", "a" * 16, "ä"])
def test_a_name_that_the_format_cannot_hold_is_refused(name: str) -> None:
    """A codec's name is 1 to 15 characters of a small alphabet."""
    with pytest.raises(ValueError, match="1 to 15 characters"):
        header_bytes(name, 0)


@pytest.mark.parametrize("flag", [-1, 16])
def test_flags_that_the_format_cannot_hold_are_refused(flag: int) -> None:
    """Four bits belong to the codec."""
    with pytest.raises(ValueError, match="must be 0 to 15"):
        header_bytes("json", flag)


def test_four_kinds_of_damage_are_four_different_errors() -> None:
    """SEMANTICS 55: bad magic, newer version, unknown codec and truncation are told apart."""
    payloads = PayloadCodec([JsonCodec()])
    damaged: dict[type[PayloadError], bytes] = {
        BadMagicError: b'{"plain": "json"}',
        UnsupportedVersionError: b"\xf5S\x02" + b"whatever comes then",
        UnknownCodecError: header_bytes("zstd+json", 0) + b"body",
        TruncatedPayloadError: payloads.encode({"a": 1})[:-1],
    }

    for expected, payload in damaged.items():
        with pytest.raises(PayloadError) as caught:
            payloads.decode(payload)
        assert expected is type(caught.value)


@pytest.mark.parametrize(
    ("payload", "remedy"),
    [
        (b"\x80\x04K\x07.", "something else wrote it"),
        (b"\xf5S\x02", "upgrade sayiir-runtime"),
        (b"\xf5S\x01\x30abc", "install the package"),
        (b"\xf5S\x01", "restore the row from a backup"),
        (b"\xf5S\x01\x40json12", "restore the row from a backup"),
        (b"\xf5S\x01\x00", "restore the row from a backup"),
    ],
)
def test_each_error_says_what_to_do(payload: bytes, remedy: str) -> None:
    """An operator who reads the text knows the next step."""
    with pytest.raises(PayloadError, match=remedy):
        PayloadCodec([JsonCodec()]).decode(payload)


@pytest.mark.parametrize(
    "payload", [b"\xf5S\x01\x00", b"\xf5S\x01\x10\xff", b"\xf5S\x01\x30A\x00b"]
)
def test_a_codec_name_that_cannot_be_one_is_corrupt(payload: bytes) -> None:
    """Damage inside the name is not taken for a codec that is missing."""
    with pytest.raises(CorruptPayloadError):
        parse_header(payload)


def test_format_version_zero_is_no_payload() -> None:
    """No release ever wrote it, so the bytes come from elsewhere."""
    with pytest.raises(BadMagicError):
        parse_header(b"\xf5S\x00\x40json1\n")
