"""The native codec and the pure reader keep what the conformance suite says of every codec."""

from __future__ import annotations

from typing import Any

import pytest

from sayiir_core.ports.codec import Codec
from sayiir_pytest.conformance.codec import CodecConformance
from sayiir_runtime.codec.rkyv import RkyvReader


class TestRkyv(CodecConformance):
    """The native codec, alone."""

    rich = True

    @pytest.fixture(autouse=True)
    def _native(self, codec: Any) -> None:
        self.codec = codec

    def make_codec(self) -> Codec:
        """Return the codec of the session."""
        made: Codec = self.codec
        return made


class ReadElsewhere:
    """The native codec where values are written, the pure reader where they are read."""

    def __init__(self, codec: Any) -> None:
        self._reader = RkyvReader()
        self.name = codec.name
        self.encode = codec.encode
        self.encode_as = codec.encode_as
        self.dump_instance = codec.dump_instance
        self.decode = self._reader.decode
        self.decode_as = self._reader.decode_as


class TestRkyvReader(TestRkyv):
    """Payloads of the native codec, read without it."""

    def make_codec(self) -> Codec:
        """Return the codec of the session with the pure reader in the place of its own."""
        return ReadElsewhere(self.codec)
