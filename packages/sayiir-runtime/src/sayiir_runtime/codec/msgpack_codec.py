"""The MessagePack codec: ormsgpack, told to pass on whatever it would change.

How this works. ormsgpack writes what MessagePack has a type for, and hands everything else to a
hook, which gives an extension (see ``extension``). What it can only refuse, keys that are no text
and lone surrogates, is replaced before a second try.

Containers in extensions are packed by a call inside the hook. They are *not* unpacked so: a call
inside a call adds up C stack, and some kilobytes of hostile bytes would end the process. The
hook only notes them, and they are unpacked level by level afterwards (see ``_Unpacking``).
"""

from __future__ import annotations

import struct
from functools import partial
from typing import Any, Final

import ormsgpack

from sayiir_core.errors import (
    CorruptPayloadError,
    TruncatedPayloadError,
    UnsupportedVersionError,
)
from sayiir_core.ports.codec import ValueForm
from sayiir_runtime.codec import extension
from sayiir_runtime.codec.msgpack_containers import Unpacking
from sayiir_runtime.codec.rich_value import Pairs, Surrogates, prepared, raise_refusal

_OPTIONS: Final = (
    ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)

_MAX_NESTED: Final = 64
"""Extensions inside each other that are packed: each takes C stack for up to 254 levels."""

_END_MISSING: Final = "end of file"

_packb = ormsgpack.packb
_unpackb = ormsgpack.unpackb


class MsgpackCodec:
    """Store rich data, each value as the type that it is."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """Return ``msgpack``."""
        return "msgpack"

    def encode(self, value: Any) -> tuple[int, bytes]:
        """Return the flags and the body; raises ``EncodeError`` naming the place."""
        try:
            return 0, _packb(value, _HOOK, _OPTIONS)
        except (TypeError, ValueError, OverflowError, RecursionError):
            pass
        changed = prepared(value)
        try:
            return 0, _packb(changed, _HOOK, _OPTIONS)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise_refusal(value, error)

    def decode(self, payload: bytes, start: int, flags: int) -> Any:
        """Return the value of a body; raises one of the payload errors, whatever the bytes."""
        if flags:
            raise _unknown(f"flags {flags:#06b}")
        unpacking = Unpacking(_unpackb)
        try:
            return unpacking.value(payload[start:])
        except (ValueError, TypeError, ArithmeticError, RecursionError, struct.error) as error:
            if unpacking.unknown is not None:
                raise _unknown(f"the extension {unpacking.unknown}") from None
            if _END_MISSING in str(error):
                raise _cut_short(payload) from None
            raise _corrupt(error) from None

    def encode_as(self, value: Any, form: ValueForm) -> tuple[int, bytes]:
        """Return the flags and the body of a value of the form's type."""
        return self.encode(form.dump_rich(value))

    def decode_as(self, payload: bytes, start: int, flags: int, form: ValueForm) -> Any:
        """Return the value of the form's type."""
        return form.load_rich(self.decode(payload, start, flags))

    def dump_instance(self, value: Any, form: ValueForm) -> Any:
        """Return rich data for a model or dataclass that no annotation announces."""
        return form.dump_rich(value)


def _hook(depth: int, value: Any) -> ormsgpack.Ext:
    packed = extension.pack_scalar(value)
    if packed is not None:
        return ormsgpack.Ext(*packed)
    kind: type[Any] = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind is Surrogates:
        return ormsgpack.Ext(*extension.pack_surrogates(value.text))
    if depth == _MAX_NESTED:
        raise TypeError
    inner = _HOOKS[depth + 1]
    if kind is tuple:
        return ormsgpack.Ext(extension.TUPLE, _packb(list(value), inner, _OPTIONS))
    if kind is set or kind is frozenset:
        code = extension.SET if kind is set else extension.FROZENSET
        return ormsgpack.Ext(code, _sorted(value, inner))
    if kind is Pairs:
        items = [part for pair in value.fields.items() for part in pair]
        return ormsgpack.Ext(extension.PAIRS, _packb(items, inner, _OPTIONS))
    raise TypeError


_HOOKS: Final = [partial(_hook, depth) for depth in range(_MAX_NESTED + 1)]
_HOOK: Final = _HOOKS[0]


def _sorted(items: set[Any] | frozenset[Any], hook: Any) -> bytes:
    """Return a set as an array, in an order that does not depend on hashes."""
    packed = sorted(_packb(item, hook, _OPTIONS) for item in items)
    count = len(packed)
    if count < 16:
        head = bytes((0x90 | count,))
    elif count < 1 << 16:
        head = b"\xdc" + count.to_bytes(2, "big")
    else:
        head = b"\xdd" + count.to_bytes(4, "big")
    return head + b"".join(packed)


def _unknown(what: str) -> UnsupportedVersionError:
    return UnsupportedVersionError(
        f"the MessagePack payload has {what}, which this release does not know: upgrade "
        f"sayiir-runtime here to the release that wrote it"
    )


def _cut_short(payload: bytes) -> TruncatedPayloadError:
    return TruncatedPayloadError(
        f"the MessagePack payload ends after {len(payload)} bytes, inside a value: it was cut "
        f"short after it was written; restore the row from a backup, or run the instance again"
    )


def _corrupt(error: Exception) -> CorruptPayloadError:
    return CorruptPayloadError(
        f"the payload is whole but its MessagePack cannot be read ({str(error)[:200]}): it was "
        f"damaged after it was written; restore the row from a backup, or run the instance again"
    )
