"""Scalars that neither JSON nor MessagePack has: a code and bytes for each.

The codes and bytes are those of every rich codec of the project and are never changed. Nothing
here imports what a payload names, except that a time zone is looked up by its key.
"""

from __future__ import annotations

import datetime as dt
import re
import struct
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sayiir_core.errors import CorruptPayloadError, UnsupportedVersionError

_Clock = TypeVar("_Clock", dt.datetime, dt.time)

TUPLE: Final = 1
BIG_INTEGER: Final = 2
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

MAX_BITS: Final = 3_321_928
"""The largest integer that is stored: it surely has no more than a million digits."""

_SPLIT_SECOND: Final = re.compile(r".+([+-])00:00:00\.(\d{6})", re.ASCII)
_MAX_ZONE: Final = 64
"""The longest key of a zone that is looked up: each of its parts costs frames of the interpreter."""

_SPAN: Final = struct.Struct("<3q")
_COMPLEX: Final = struct.Struct("<2d")
_ZONED: Final = re.compile(r"([^\[\]]+)(?:\[([^\[\]=]+)\])?(\[fold=1\])?", re.ASCII)
_NUMBER: Final = re.compile(
    r"-?(?:\d+(?:\.\d*)?(?:E[+-]?\d+)?|\.\d+(?:E[+-]?\d+)?|Infinity|s?NaN\d*)", re.ASCII
)


def pack_extension(value: Any) -> tuple[int, bytes]:
    """Return code and bytes of a value; raises ``ValueError`` saying what to do instead.

    Raises ``KeyError`` for a type that has no code.
    """
    return _PACK[type(value)](value)


def unpack_extension(code: int, data: bytes) -> Any:
    """Return the value; raises ``CorruptPayloadError`` or ``UnsupportedVersionError``."""
    unpack = _UNPACK.get(code)
    if unpack is None:
        raise UnsupportedVersionError(
            f"the rkyv payload holds a value of extension type {code}, which this release does "
            f"not know: upgrade sayiir-rkyv here to the release that wrote it"
        )
    try:
        return unpack(data)
    except (ValueError, ArithmeticError, struct.error) as error:
        raise CorruptPayloadError(
            f"the rkyv payload holds a damaged value of extension type {code} ({error}); restore "
            f"the row from a backup, or run the instance again"
        ) from None


def pack_integer(number: int) -> bytes:
    """Return two's complement in the fewest bytes; raises ``ValueError`` beyond ``MAX_BITS``."""
    if number.bit_length() > MAX_BITS:
        raise ValueError("an integer of more than 1,000,000 digits; return hex(value)")
    size = (number if number >= 0 else ~number).bit_length() // 8 + 1
    return number.to_bytes(size, "little", signed=True)


def unpack_integer(data: bytes) -> int:
    """Return the number of two's complement bytes."""
    return int.from_bytes(data, "little", signed=True)


def _pack_zoned(value: dt.datetime | dt.time) -> bytes:
    zone = value.tzinfo
    suffix = "[fold=1]" if value.fold else ""
    if isinstance(zone, ZoneInfo):
        if not _is_key(zone.key):
            raise ValueError("a time in a zone without a key cannot be stored")
        suffix = f"[{zone.key}]{suffix}"
    elif zone is not None and type(zone) is not dt.timezone:
        raise ValueError(
            f"a time in the zone {type(zone).__qualname__} cannot be stored; use "
            f"zoneinfo.ZoneInfo, or value.astimezone(datetime.timezone.utc)"
        )
    return (value.isoformat() + suffix).encode()


def _is_key(key: str | None) -> bool:
    return key is not None and key.isascii() and not set(key) & set("[]=")


def _unpack_datetime(data: bytes) -> dt.datetime:
    text, key, fold = _split(data)
    value = _with_offset(dt.datetime.fromisoformat(text), text)
    if key is None:
        return value.replace(fold=fold)
    if value.tzinfo is None:
        raise ValueError("a time zone without an offset")
    # Where the zone is unknown, its offset still says which instant it is.
    return value.replace(tzinfo=_zone(key) or value.tzinfo, fold=fold)


def _unpack_time(data: bytes) -> dt.time:
    text, key, fold = _split(data)
    value = _with_offset(dt.time.fromisoformat(text), text)
    if key is None:
        return value.replace(fold=fold)
    zone = _zone(key)
    if zone is None:
        raise ValueError(f"a time of day in the zone {key!r}, which this machine does not know")
    return value.replace(tzinfo=zone, fold=fold)


def _split(data: bytes) -> tuple[str, str | None, int]:
    """Return the ISO text, the key of the zone, and the fold."""
    match = _ZONED.fullmatch(data.decode("ascii"))
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


def _zone(key: str) -> ZoneInfo | None:
    if len(key) > _MAX_ZONE:
        return None
    try:
        return ZoneInfo(key)
    except (ZoneInfoNotFoundError, OSError):
        return None


def _unpack_decimal(data: bytes) -> Decimal:
    text = data.decode("ascii")
    if _NUMBER.fullmatch(text) is None:
        raise ValueError("no number")
    return Decimal(text)


def _unpack_span(data: bytes) -> dt.timedelta:
    days, seconds, microseconds = _SPAN.unpack(data)
    return dt.timedelta(days, seconds, microseconds)


_PACK: Final[dict[type, Callable[[Any], tuple[int, bytes]]]] = {
    dt.datetime: lambda value: (DATETIME, _pack_zoned(value)),
    dt.date: lambda value: (DATE, value.isoformat().encode()),
    dt.time: lambda value: (TIME, _pack_zoned(value)),
    dt.timedelta: lambda value: (
        TIMEDELTA,
        _SPAN.pack(value.days, value.seconds, value.microseconds),
    ),
    Decimal: lambda value: (DECIMAL, str(value).encode()),
    uuid.UUID: lambda value: (UUID, value.bytes),
    complex: lambda value: (COMPLEX, _COMPLEX.pack(value.real, value.imag)),
    int: lambda value: (BIG_INTEGER, pack_integer(value)),
    str: lambda value: (SURROGATES, value.encode("utf-8", "surrogatepass")),
}

_UNPACK: Final[dict[int, Callable[[bytes], Any]]] = {
    DATETIME: _unpack_datetime,
    DATE: lambda data: dt.date.fromisoformat(data.decode("ascii")),
    TIME: _unpack_time,
    TIMEDELTA: _unpack_span,
    DECIMAL: _unpack_decimal,
    UUID: lambda data: uuid.UUID(bytes=data),
    COMPLEX: lambda data: complex(*_COMPLEX.unpack(data)),
    SURROGATES: lambda data: data.decode("utf-8", "surrogatepass"),
}
