"""The JSON codec, the MessagePack codec and the encryption, each broken in one way."""

# ruff: noqa: ARG002, D102, D106 - the name of each class says what it does wrong

from __future__ import annotations

import json
import zlib
from typing import Any

import ormsgpack

from sayiir_core.errors import CorruptPayloadError, TruncatedPayloadError
from sayiir_core.ports.codec import Place, ValueForm
from sayiir_pytest.conformance.codec import CodecConformance
from sayiir_runtime.codec import JsonCodec, KeyRing, PayloadCodec
from sayiir_runtime.codec.aes_gcm import AesGcm
from sayiir_runtime.codec.msgpack_codec import MsgpackCodec
from sayiir_runtime.codec.view import MapView, view_of


def _deep() -> bytes:
    body = b"\x90"
    for _ in range(64):
        body = b"\x91" * 1000 + b"\xc9" + len(body).to_bytes(4, "big") + b"\x01" + body
    return body


class Broken(CodecConformance):
    flags = frozenset({0, 1})
    mutations = 2_000

    def make_codec(self) -> Any:
        return self.Codec()  # type: ignore[attr-defined]


class TestTurnsNanIntoNone(Broken):
    class Codec(JsonCodec):
        def encode(self, value: Any) -> tuple[int, bytes]:
            return super().encode(None if value != value else value)  # noqa: PLR0124


class TestDropsTheFourthItem(Broken):
    class Codec(JsonCodec):
        def encode(self, value: Any) -> tuple[int, bytes]:
            return super().encode(value[:3] if type(value) is list else value)


class TestForgetsTuples(Broken):
    rich = True

    class Codec(MsgpackCodec):
        def encode(self, value: Any) -> tuple[int, bytes]:
            return super().encode(list(value) if type(value) is tuple else value)


class TestOrdersSetsByHash(Broken):
    rich = True
    made = 0

    class Codec(MsgpackCodec):
        def encode(self, value: Any) -> tuple[int, bytes]:
            TestOrdersSetsByHash.made += 1
            flags, body = super().encode(value)
            # What another seed of hashes does, done at every other call.
            odd = TestOrdersSetsByHash.made > 30 and type(value) is set
            return flags, body[:4] + body[4:][::-1] if odd else body


class TestAcceptsAnything(Broken):
    class Codec(JsonCodec):
        def encode(self, value: Any) -> tuple[int, bytes]:
            try:
                return super().encode(value)
            except TypeError:
                return 0, json.dumps(repr(value)).encode() + b"\n"


class TestHidesThePlace(Broken):
    class Codec(JsonCodec):
        def encode(self, value: Any) -> tuple[int, bytes]:
            try:
                return super().encode(value)
            except TypeError as error:
                raise type(error)("not serialisable") from None


class TestRecursesWithoutEnd(Broken):
    class Codec(JsonCodec):
        def encode(self, value: Any) -> tuple[int, bytes]:
            def copied(part: Any) -> Any:
                if isinstance(part, list):
                    return [copied(item) for item in part]
                return {k: copied(v) for k, v in part.items()} if isinstance(part, dict) else part

            return super().encode(copied(value))


class TestSharesWhatItDecodes(Broken):
    class Codec(JsonCodec):
        def __init__(self) -> None:
            self.kept: dict[bytes, Any] = {}

        def decode(self, payload: bytes, start: int, flags: int) -> Any:
            if payload not in self.kept:
                self.kept[payload] = super().decode(payload, start, flags)
            return self.kept[payload]


class TestMissesACutBody(Broken):
    class Codec(JsonCodec):
        def decode(self, payload: bytes, start: int, flags: int) -> Any:
            return super().decode(payload.rstrip(b"\n") + b"\n", start, flags)


class TestLetsErrorsEscape(Broken):
    class Codec(JsonCodec):
        def decode(self, payload: bytes, start: int, flags: int) -> Any:
            if payload[-1] != 0x0A:
                raise TruncatedPayloadError("cut short")
            return json.loads(payload[start:])


class TestIgnoresFlags(Broken):
    flags = frozenset({0, 1})

    class Codec(JsonCodec):
        def decode(self, payload: bytes, start: int, flags: int) -> Any:
            return super().decode(payload, start, flags & 1)

        def decode_as(self, payload: bytes, start: int, flags: int, form: ValueForm) -> Any:
            return super().decode_as(payload, start, flags & 1, form)


class TestLosesTypes(Broken):
    class Codec(JsonCodec):
        def decode_as(self, payload: bytes, start: int, flags: int, form: ValueForm) -> Any:
            return self.decode(payload, start, flags)


class TestTakesAMisfit(Broken):
    class Codec(JsonCodec):
        def decode_as(self, payload: bytes, start: int, flags: int, form: ValueForm) -> Any:
            try:
                return super().decode_as(payload, start, flags, form)
            except ValueError:
                return None
            except Exception:  # noqa: BLE001 - that is the bug
                return None


class TestGivesDictsAsViews(Broken):
    class Codec(JsonCodec):
        def view(self, payload: bytes, start: int, flags: int) -> Any:
            return self.decode(payload, start, flags)


class TestHandsOutWhatItHolds(Broken):
    class Codec(JsonCodec):
        def view(self, payload: bytes, start: int, flags: int) -> Any:
            class Holder(MapView):
                def decode(self) -> dict[Any, Any]:
                    return dict(self._fields)

            value = self.decode(payload, start, flags)
            return Holder(value) if type(value) is dict else view_of(value)


class TestCrashesTheProcess(Broken):
    """Unpacks inside of unpacking, as an obvious hook would."""

    rich = True
    bombs = (_deep(),)

    class Codec(MsgpackCodec):
        def decode(self, payload: bytes, start: int, flags: int) -> Any:
            def hook(code: int, data: bytes) -> Any:
                return ormsgpack.unpackb(bytes(data), ext_hook=hook)

            try:
                return ormsgpack.unpackb(payload[start:], ext_hook=hook)
            except (ValueError, TypeError, RecursionError) as error:
                raise CorruptPayloadError(str(error)) from None


class TestBelievesLengths(Broken):
    class Codec(JsonCodec):
        def encode(self, value: Any) -> tuple[int, bytes]:
            flags, body = super().encode(value)
            return flags, len(body).to_bytes(4, "big") + body

        def decode(self, payload: bytes, start: int, flags: int) -> Any:
            if len(payload) < start + 4:
                raise TruncatedPayloadError("cut short")
            buffer = bytearray(int.from_bytes(payload[start : start + 4], "big"))
            body = payload[start + 4 :]
            if len(body) < len(buffer):
                raise TruncatedPayloadError("cut short")
            buffer[:] = body
            return super().decode(payload[:start] + bytes(buffer), start, flags)

        def decode_as(self, payload: bytes, start: int, flags: int, form: ValueForm) -> Any:
            return form.load(self.decode(payload, start, flags))


class TestAuthenticatesNothing(CodecConformance):
    repeatable = False
    detects_damage = True

    class Cipher(AesGcm):
        def wrap(self, payload: bytes, place: Place | None) -> tuple[int, bytes]:
            return 0, len(payload).to_bytes(4, "big") + bytes(it ^ 90 for it in payload)

        def unwrap(self, payload: bytes, start: int, flags: int, place: Place | None) -> bytes:
            body = payload[start + 4 :]
            if len(body) < int.from_bytes(payload[start : start + 4], "big") or len(body) < 4:
                raise TruncatedPayloadError("cut short")
            return bytes(it ^ 90 for it in body)

    def make_payloads(self) -> PayloadCodec:
        return PayloadCodec([JsonCodec()], around=[self.Cipher(KeyRing({"k": bytes(32)}))])


class TestDisturbsOtherThreads(Broken):
    class Codec(JsonCodec):
        def __init__(self) -> None:
            self.current: Any = None

        def encode(self, value: Any) -> tuple[int, bytes]:
            self.current = value
            zlib.compress(b"x" * 200_000)  # lets another thread in
            return super().encode(self.current)
