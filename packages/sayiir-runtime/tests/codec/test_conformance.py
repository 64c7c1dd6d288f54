"""The codecs and wrappers of this distribution pass the suite that strangers' codecs pass."""

from __future__ import annotations

from sayiir_pytest.conformance.codec import CodecConformance
from sayiir_runtime.codec import JsonCodec, KeyRing, PayloadCodec
from sayiir_runtime.codec.aes_gcm import AesGcm
from sayiir_runtime.codec.msgpack_codec import MsgpackCodec
from sayiir_runtime.codec.zstd_wrapper import Zstd


class TestJson(CodecConformance):
    """The JSON codec; a wide flag tells what common readers lose."""

    flags = frozenset({0, 1})
    mutations = 60_000
    bombs = (
        b"[" * 100_000 + b"]" * 100_000 + b"\n",
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n",
        b"9" * 1_000_001 + b"\n",
        b"1e999999999\n",
    )

    def make_codec(self) -> JsonCodec:
        """Return the codec."""
        return JsonCodec()


def _extension(code: int, content: bytes) -> bytes:
    return b"\xc9" + len(content).to_bytes(4, "big") + bytes((code,)) + content


def _nested(levels: int, arrays: int) -> bytes:
    """Return tuples inside each other, each behind many arrays: what piles up C stack."""
    body = b"\x90"
    for _ in range(levels):
        body = b"\x91" * arrays + _extension(1, body)
    return body


def _colliding(count: int) -> bytes:
    """Return a set of integers that all have one hash."""
    prime = 2**61 - 1
    items = [prime * number for number in range(1, count + 1)]
    packed = [_extension(2, it.to_bytes(it.bit_length() // 8 + 1, "little")) for it in items]
    return _extension(9, b"\xdd" + count.to_bytes(4, "big") + b"".join(packed))


class TestMsgpack(CodecConformance):
    """The MessagePack codec."""

    rich = True
    mutations = 100_000
    bombs = (
        b"\x91" * 1_000_000,
        b"\x81\xa1a" * 1_000_000,
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        _nested(16, 1000),
        _nested(300, 1),
        _nested(200, 900),
        _colliding(200_000),
        _extension(7, b"9" * 1_000_000),
        _extension(2, b"\xff" * 1_000_000),
    )

    def make_codec(self) -> MsgpackCodec:
        """Return the codec."""
        return MsgpackCodec()


class TestZstd(CodecConformance):
    """Compression around JSON, of whatever gets smaller by it."""

    flags = frozenset({0})
    bombs = (b"\x28\xb5\x2f\xfd" + b"\xa4" + b"\xff" * 4 + b"\x00" * 16,)

    def make_payloads(self) -> PayloadCodec:
        """Return payloads that are compressed if that pays."""
        return PayloadCodec([JsonCodec(), Zstd(smallest=1)], default="zstd+json")


class TestAesGcm(CodecConformance):
    """Encryption around MessagePack."""

    rich = True
    repeatable = False
    detects_damage = True
    mutations = 20_000

    def make_payloads(self) -> PayloadCodec:
        """Return payloads that are encrypted, and nothing else."""
        return PayloadCodec([MsgpackCodec()], around=[AesGcm(KeyRing({"2026": bytes(32)}))])
