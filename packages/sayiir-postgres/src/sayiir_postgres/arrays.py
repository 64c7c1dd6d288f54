"""Whole columns as the server's arrays in its binary form.

How this works: a batch sends its columns as arrays. The driver would look up how to write each
element, which costs more than all else that a step costs here; these functions write an array in
a few calls, whatever its length. The form is that of PostgreSQL's ``array_send``: number of
dimensions, whether nulls occur, type of the elements, length, lower bound, and then per element
its size (-1 for a null) and its bytes, all big-endian.

Where several arrays become the columns of one table, ``unnest`` fills the shorter ones up with
nulls. So a column of nothing but nulls is sent as an empty array.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

T = TypeVar("T", str, bytes)


class Packed(bytes):
    """A parameter that is in the server's binary form already; a cast in the statement types it."""


class PackedDumper(Dumper):
    """Hand a packed parameter through."""

    format = Format.BINARY
    oid = 0

    def dump(self, obj: Any) -> Buffer:
        """Return the parameter as it is."""
        return obj  # type: ignore[no-any-return]


_BOOL: Final = 16
_BYTEA: Final = 17
_BIGINT: Final = 20
_INT: Final = 23
_TEXT: Final = 25
_TIMESTAMPTZ: Final = 1184

_HEAD: Final = struct.Struct(">iiIii").pack
_EMPTY_HEAD: Final = struct.Struct(">iiI").pack
_SIZE: Final = struct.Struct(">i").pack
_INSTANT: Final = struct.Struct(">iq").pack
_NULL: Final = b"\xff\xff\xff\xff"
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_DAY_SECONDS: Final = 86_400
_SECOND_MICROS: Final = 1_000_000


def ints(values: Sequence[int]) -> Packed:
    """Return an ``int[]``; ``struct.error`` for what does not fit into four bytes."""
    return _fixed(_INT, "i", 4, values)


def bigints(values: Sequence[int]) -> Packed:
    """Return a ``bigint[]``; ``struct.error`` for what does not fit into eight bytes."""
    return _fixed(_BIGINT, "q", 8, values)


def bools(values: Sequence[bool]) -> Packed:
    """Return a ``bool[]``."""
    return _fixed(_BOOL, "?", 1, values)


def texts(values: Sequence[str | None]) -> Packed:
    """Return a ``text[]``; ``UnicodeEncodeError`` for lone surrogates."""
    return _variable(_TEXT, values, str.encode)


def byteas(values: Sequence[bytes | None]) -> Packed:
    """Return a ``bytea[]``."""
    return _variable(_BYTEA, values, bytes)


def instants(values: Sequence[datetime | None]) -> Packed:
    """Return a ``timestamptz[]`` of aware datetimes."""
    nulls = values.count(None)
    if nulls == len(values):
        return _empty(_TIMESTAMPTZ)
    body = b"".join([_NULL if value is None else _INSTANT(8, _micros(value)) for value in values])
    return Packed(_head(_TIMESTAMPTZ, nulls, len(values)) + body)


def _micros(instant: datetime) -> int:
    since = instant - _EPOCH
    return (since.days * _DAY_SECONDS + since.seconds) * _SECOND_MICROS + since.microseconds


def _fixed(oid: int, code: str, size: int, values: Sequence[int]) -> Packed:
    count = len(values)
    if not count:
        return _empty(oid)
    flat = [size] * (2 * count)
    flat[1::2] = values
    return Packed(_head(oid, 0, count) + struct.pack(">" + f"i{code}" * count, *flat))


def _variable(oid: int, values: Sequence[T | None], encode: Callable[[T], bytes]) -> Packed:
    count = len(values)
    first = values[0] if count else None
    # Many a column says the same of every row.
    if values.count(first) == count:
        if first is None:
            return _empty(oid)
        data = encode(first)
        return Packed(_head(oid, 0, count) + (_SIZE(len(data)) + data) * count)
    encoded = [None if value is None else encode(value) for value in values]
    parts: list[bytes] = [b""] * (2 * count)
    parts[0::2] = [_NULL if data is None else _SIZE(len(data)) for data in encoded]
    parts[1::2] = [data or b"" for data in encoded]
    return Packed(_head(oid, values.count(None), count) + b"".join(parts))


def _head(oid: int, nulls: int, count: int) -> bytes:
    return _HEAD(1, 1 if nulls else 0, oid, count, 1)


def _empty(oid: int) -> Packed:
    return Packed(_EMPTY_HEAD(0, 0, oid))
