"""The deflate codec does what every codec must do, and cannot be made to fill the memory."""

from __future__ import annotations

import zlib

import pytest

from sayiir_core.errors import CorruptPayloadError, PayloadError
from sayiir_deflate import DeflateCodec, codec
from sayiir_pytest.conformance.codec import CodecConformance
from sayiir_runtime.codec import PayloadCodec


class TestDeflate(CodecConformance):
    # Those of the JSON codec, which it passes on.
    flags = frozenset({0, 1})

    def make_codec(self) -> DeflateCodec:
        return DeflateCodec()

    @pytest.mark.parametrize("text", [b"", b"{", b"[1]\n[2]\n", b"\xff\n"])
    def test_a_sound_body_of_what_is_no_json_is_refused(
        self, payloads: PayloadCodec, text: bytes
    ) -> None:
        """The checksum is right, the text is not."""
        header = payloads.encode(None)[: -len(DeflateCodec().encode(None)[1])]

        with pytest.raises(PayloadError):
            payloads.decode(header + zlib.compress(text))

    def test_a_short_payload_cannot_claim_any_length(
        self, payloads: PayloadCodec, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Stop at the limit, before the memory is gone."""
        payload = payloads.encode([0] * 100_000)
        monkeypatch.setattr(codec, "LARGEST", 1000)

        with pytest.raises(CorruptPayloadError, match="longer"):
            payloads.decode(payload)
