"""The deflate codec keeps values, and refuses bytes that are not its own."""

import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayiir_core.errors import CorruptPayloadError, PayloadError, TruncatedPayloadError
from sayiir_deflate import DeflateCodec, codec
from sayiir_runtime.codec import JsonCodec, PayloadCodec, model

CODEC = PayloadCodec([DeflateCodec(), JsonCodec()])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_a_value_comes_back_as_the_value_model_says(value: Any) -> None:
    """Also NaN, integers of any size and lone surrogates."""
    payload = CODEC.encode(value)

    assert repr(model(value)) == repr(CODEC.decode(payload))


@given(VALUES)
def test_a_payload_cut_short_is_told_from_a_damaged_one(value: Any) -> None:
    """Every proper prefix of a body is called truncated."""
    payload = CODEC.encode(value)
    _, body = DeflateCodec().encode(value)

    for size in range(len(body)):
        with pytest.raises(TruncatedPayloadError):
            CODEC.decode(payload[: len(payload) - len(body) + size])


@given(VALUES, st.data())
def test_a_damaged_payload_is_refused(value: Any, data: st.DataObject) -> None:
    """A changed body is another value of the model only if its checksum says so, which is rare."""
    payload = bytearray(CODEC.encode(value))
    place = data.draw(st.integers(0, len(payload) - 1))
    payload[place] ^= data.draw(st.integers(1, 255))

    try:
        again = CODEC.decode(bytes(payload))
    except PayloadError:
        return
    assert repr(again) == repr(model(again))


@pytest.mark.parametrize("text", [b"", b"{", b"[1]\n[2]\n", b"\xff\n"])
def test_a_sound_body_of_what_is_no_json_is_refused(text: bytes) -> None:
    """The checksum is right, the text is not."""
    header = CODEC.encode(None)[: -len(DeflateCodec().encode(None)[1])]

    with pytest.raises(PayloadError):
        CODEC.decode(header + zlib.compress(text))


def test_a_short_payload_cannot_claim_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop at the limit, before the memory is gone."""
    payload = CODEC.encode([0] * 100_000)
    monkeypatch.setattr(codec, "LARGEST", 1000)

    with pytest.raises(CorruptPayloadError, match="longer"):
        CODEC.decode(payload)


def test_typed_values_keep_their_type() -> None:
    """The annotation drives both ways, as it does for JSON."""
    payload = CODEC.encode_as((1, 2), tuple[int, int])

    assert (1, 2) == CODEC.decode_as(payload, tuple[int, int])
