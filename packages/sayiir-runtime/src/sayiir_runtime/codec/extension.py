"""What MessagePack has no type for: extension codes and their bytes (docs/format.md).

Scalars of the standard library are here both ways. Containers are packed by whoever packs the
rest of a value, because their items are packed as it is.
"""

from __future__ import annotations

import datetime as dt
import decimal
import re
import struct
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any, Final, TypeVar

from sayiir_core.errors import EncodeError

_Clock = TypeVar("_Clock", dt.datetime, dt.time)

TUPLE: Final = 1
INTEGER: Final = 2
DATETIME: Final = 3
DATE: Final = 4
TIME: Final = 5
TIMEDELTA: Final = 6
DECIMAL: Final = 7
UUID: Final = 8
SET: Final = 9
FROZENSET: Final = 10
COMPLEX: Final = 11
PAIRS: Final = 12
SURROGATES: Final = 13

CONTAINERS: Final = frozenset({TUPLE, SET, FROZENSET, PAIRS})

MAX_INTEGER_BITS: Final = 3_321_928
"""The most that surely have no more than a million digits, as in JSON payloads."""

_SPLIT_SECOND: Final = re.compile(r".+([+-])00:00:00\.(\d{6})", re.ASCII)
_MAX_ZONE: Final = 64
"""The longest key of a zone that is looked up: each of its parts costs frames of the interpreter."""

_THREE: Final = struct.Struct("<qqq")
_TWO: Final = struct.Struct("<dd")
_TEXT: Final = re.compile(r"([^\[\]]+)(?:\[([^\[\]=]+)\])?(\[fold=1\])?")
_DECIMAL: Final = re.compile(
    r"-?(?:\d+(?:\.\d*)?(?:E[+-]?\d+)?|\.\d+(?:E[+-]?\d+)?|Infinity|s?NaN\d*)", re.ASCII
)


def pack_scalar(value: Any) -> tuple[int, bytes] | None:
    """Return code and bytes of a scalar, None for anything that is none.

    Raises ``EncodeError`` without a place for what its type allows and the format does not.
    """
    kind: type[Any] = type(value)  # pyright: ignore[reportUnknownVariableType]
    packer = _PACKERS.get(kind)
    return None if packer is None else packer(value)


def unpack_scalar(code: int, data: bytes) -> Any:
    """Return the scalar of a code; ``LookupError`` for an unknown code.

    Raises ``ValueError``, ``ArithmeticError`` or ``struct.error`` for bytes that are none.
    """
    return _UNPACKERS[code](data)


def pack_surrogates(text: str) -> tuple[int, bytes]:
    """Return code and bytes of a text that has lone surrogates."""
    return SURROGATES, text.encode("utf-8", "surrogatepass")


def _pack_integer(value: int) -> tuple[int, bytes]:
    if value.bit_length() > MAX_INTEGER_BITS:
        raise EncodeError("an integer of more than 1,000,000 digits; return hex(value)")
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return INTEGER, value.to_bytes(size, "little", signed=True)


def _unpack_integer(data: bytes) -> int:
    if len(data) > MAX_INTEGER_BITS // 8 + 1:
        raise ValueError("an integer of more than 1,000,000 digits")
    return int.from_bytes(data, "little", signed=True)


def _pack_datetime(value: dt.datetime) -> tuple[int, bytes]:
    return DATETIME, _clock_text(value, value.tzinfo)


def _pack_time(value: dt.time) -> tuple[int, bytes]:
    return TIME, _clock_text(value, value.tzinfo)


def _clock_text(value: dt.datetime | dt.time, zone: dt.tzinfo | None) -> bytes:
    text = value.isoformat()
    if isinstance(zone, zoneinfo.ZoneInfo):
        if not _is_key(zone.key):
            raise EncodeError("a time zone without a key; use zoneinfo.ZoneInfo(key)")
        text += f"[{zone.key}]"
    elif zone is not None and type(zone) is not dt.timezone:
        raise EncodeError(
            f"a time zone of {type(zone).__module__}.{type(zone).__qualname__}; use "
            f"datetime.timezone or zoneinfo.ZoneInfo"
        )
    return (f"{text}[fold=1]" if value.fold else text).encode()


def _is_key(key: str | None) -> bool:
    return key is not None and key.isascii() and not set(key) & set("[]=")


def _split(data: bytes) -> tuple[str, str | None, int]:
    match = _TEXT.fullmatch(data.decode("ascii"))
    if match is None:
        raise ValueError("no date or time")
    return match[1], match[2], 1 if match[3] else 0


def _with_offset(value: _Clock, text: str) -> _Clock:
    # Python takes an offset of less than a second for none.
    match = _SPLIT_SECOND.fullmatch(text)
    if match is None:
        return value
    offset = dt.timedelta(microseconds=int(match[1] + match[2]))
    return value.replace(tzinfo=dt.timezone(offset))


def _zone(key: str) -> dt.tzinfo | None:
    if len(key) > _MAX_ZONE:
        return None
    try:
        return zoneinfo.ZoneInfo(key)
    except (LookupError, OSError):
        return None


def _unpack_datetime(data: bytes) -> dt.datetime:
    text, key, fold = _split(data)
    value = _with_offset(dt.datetime.fromisoformat(text), text)
    if key is None:
        return value.replace(fold=fold)
    if value.tzinfo is None:
        raise ValueError("a time zone without the offset")
    # Where a machine does not know the zone, the offset still says which instant it is.
    return value.replace(tzinfo=_zone(key) or value.tzinfo, fold=fold)


def _unpack_time(data: bytes) -> dt.time:
    text, key, fold = _split(data)
    value = _with_offset(dt.time.fromisoformat(text), text)
    if key is None:
        return value.replace(fold=fold)
    zone = _zone(key)
    if zone is None:
        raise ValueError("a time of day in a time zone that this machine does not know")
    return value.replace(tzinfo=zone, fold=fold)


def _unpack_decimal(data: bytes) -> decimal.Decimal:
    text = data.decode("ascii")
    # By itself: whether a bad text raises or gives NaN depends on the caller's decimal context.
    if not _DECIMAL.fullmatch(text):
        raise ValueError("no decimal number")
    return decimal.Decimal(text)


def _unpack_timedelta(data: bytes) -> dt.timedelta:
    days, seconds, microseconds = _THREE.unpack(data)
    return dt.timedelta(days, seconds, microseconds)


_PACKERS: Final[dict[type, Callable[[Any], tuple[int, bytes]]]] = {
    int: _pack_integer,
    dt.datetime: _pack_datetime,
    dt.date: lambda value: (DATE, value.isoformat().encode()),
    dt.time: _pack_time,
    dt.timedelta: lambda v: (TIMEDELTA, _THREE.pack(v.days, v.seconds, v.microseconds)),
    decimal.Decimal: lambda value: (DECIMAL, str(value).encode()),
    uuid.UUID: lambda value: (UUID, value.bytes),
    complex: lambda value: (COMPLEX, _TWO.pack(value.real, value.imag)),
}

_UNPACKERS: Final[dict[int, Callable[[bytes], Any]]] = {
    INTEGER: _unpack_integer,
    DATETIME: _unpack_datetime,
    DATE: lambda data: dt.date.fromisoformat(data.decode("ascii")),
    TIME: _unpack_time,
    TIMEDELTA: _unpack_timedelta,
    DECIMAL: _unpack_decimal,
    UUID: lambda data: uuid.UUID(bytes=data),
    COMPLEX: lambda data: complex(*_TWO.unpack(data)),
    SURROGATES: lambda data: data.decode("utf-8", "surrogatepass"),
}
