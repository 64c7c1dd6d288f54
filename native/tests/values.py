"""Values of the rich model: samples by name, and a strategy for the rest."""

from __future__ import annotations

import datetime as dt
import math
import struct
import uuid
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

HEADER = b"\xf5S\x01\x40rkyv"
"""The envelope of an rkyv payload; its body begins behind these 8 bytes."""

NAMES: dict[str, Any] = {
    "dt": dt,
    "Decimal": Decimal,
    "UUID": uuid.UUID,
    "ZoneInfo": ZoneInfo,
    "inf": math.inf,
    "nan": math.nan,
    # Which of the many, so that its bits can be compared.
    "other_nan": struct.unpack("<d", bytes.fromhex("010000000000f4ff"))[0],
}

ZONES = st.sampled_from([ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu"), dt.UTC])


def evaluate(expression: str) -> Any:
    """Return the value of an expression of our own vectors."""
    return eval(expression, NAMES.copy())  # noqa: S307 - our own file


def same(left: Any, right: Any) -> bool:
    """Tell whether two values are equal in content, types, bits of floats and order of keys."""
    return _marked(left) == _marked(right)


def _marked(value: Any) -> Any:
    kind = type(value)
    if kind is float:
        return kind, struct.pack("<d", value)
    if kind is complex:
        return kind, struct.pack("<2d", value.real, value.imag)
    if kind is dict:
        return kind, [(_marked(key), _marked(item)) for key, item in value.items()]
    if kind in {list, tuple}:
        return kind, [_marked(item) for item in value]
    if kind in {set, frozenset}:
        return kind, sorted(repr(_marked(item)) for item in value)
    if kind in {dt.datetime, dt.time}:
        return kind, value.isoformat(), value.fold, repr(value.tzinfo)
    return kind, repr(value)


def scalars() -> st.SearchStrategy[Any]:
    """Return all scalars of the model."""
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(min_value=-(2**70), max_value=2**70),
        st.floats(),
        st.text(),
        st.text(st.characters(codec=None, categories=["Cs", "L"])),
        st.binary(max_size=200),
        st.datetimes(timezones=st.none() | ZONES, allow_imaginary=False),
        st.dates(),
        st.times(),
        st.timedeltas(),
        st.decimals(),
        st.uuids(),
        st.complex_numbers(),
    )


def _hashable() -> st.SearchStrategy[Any]:
    # A set whose members are NaNs or equal numbers of two types would not be told apart by `same`.
    plain = st.text(max_size=5) | st.binary(max_size=5) | st.integers() | st.dates() | st.none()
    return plain | st.tuples(plain, plain) | st.frozensets(plain, max_size=3)


def rich_values() -> st.SearchStrategy[Any]:
    """Return values of the whole model."""
    return st.recursive(
        scalars() | st.sets(_hashable(), max_size=3) | st.frozensets(_hashable(), max_size=3),
        lambda inner: st.one_of(
            st.lists(inner, max_size=5),
            st.lists(inner, max_size=3).map(tuple),
            st.dictionaries(st.text(max_size=5), inner, max_size=5),
            st.dictionaries(_hashable(), inner, max_size=3),
        ),
        max_leaves=12,
    )
