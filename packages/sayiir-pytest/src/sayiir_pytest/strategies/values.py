"""Values for codecs: what their models cover, and a comparison that types and NaN can't fool."""

from __future__ import annotations

import datetime as dt
import decimal
import math
import uuid
import zoneinfo
from typing import Any, Final, cast

from hypothesis import strategies as st

_texts = st.text(st.characters(exclude_categories=[]), max_size=8)
_integers = st.one_of(
    st.integers(),
    st.sampled_from([2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**4200]),
)
_scalars = st.one_of(st.none(), st.booleans(), _integers, st.floats(), _texts)
_zones = st.one_of(
    st.none(),
    st.just(dt.UTC),
    st.builds(dt.timezone, st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23))),
)
_folds = st.sampled_from([0, 1])
_rich_scalars = st.one_of(
    _scalars,
    st.binary(max_size=20),
    st.complex_numbers(),
    st.dates(),
    st.times(timezones=_zones).flatmap(lambda it: _folds.map(lambda fold: it.replace(fold=fold))),
    st.datetimes(timezones=_zones).flatmap(
        lambda it: _folds.map(lambda fold: it.replace(fold=fold))
    ),
    st.timedeltas(),
    st.decimals(),
    st.uuids(),
)
_keys = st.one_of(_texts, st.integers(), st.floats(allow_nan=False), st.booleans(), st.none())
_rich_keys = st.recursive(
    st.one_of(_keys, st.binary(max_size=4), st.dates(), st.uuids()),
    lambda inner: st.lists(inner, max_size=2).map(tuple),
    max_leaves=3,
)

PLAIN: Final = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(_texts, inner, max_size=5),
        st.dictionaries(_keys, inner, max_size=3),
    ),
    max_leaves=20,
)
"""Values of the JSON model; where two keys of a dict become the same text it refuses them."""

RICH: Final = st.recursive(
    _rich_scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(_texts, inner, max_size=5),
        st.dictionaries(_rich_keys, inner, max_size=3),
        st.sets(_rich_keys, max_size=3),
        st.frozensets(_rich_keys, max_size=3),
    ),
    max_leaves=20,
)
"""Values of the rich model."""

ZONED: Final = dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
"""The second half past two of a night on which the clocks go back."""


def exact(value: Any) -> Any:
    """Return what is equal only for equal types too, for equal NaNs, folds, zones and digits."""
    kind: type[Any] = type(value)  # pyright: ignore[reportUnknownVariableType]
    name = kind.__name__
    if issubclass(kind, dict):
        return name, [(exact(key), exact(item)) for key, item in value.items()]
    if issubclass(kind, list | tuple):
        return name, [exact(item) for item in value]
    if issubclass(kind, set | frozenset):
        return name, sorted(map(repr, map(exact, value)))
    if issubclass(kind, float):
        return name, "nan" if math.isnan(value) else value.hex()
    if issubclass(kind, complex):
        return name, exact(value.real), exact(value.imag)
    if issubclass(kind, decimal.Decimal):
        return name, value.as_tuple()
    if issubclass(kind, dt.datetime | dt.time):
        moment = cast("dt.datetime | dt.time", value)
        return name, moment.isoformat(), moment.fold, str(moment.tzinfo)
    return name, value


def samples(*, rich: bool) -> list[Any]:
    """Return one value of each kind, small, for tests that try everything with each."""
    plain: list[Any] = [
        None,
        True,
        7,
        123456789,
        -1.5e300,
        math.nan,
        'text with " and \\ and \u20ac',
        2**70,
        [float("inf"), float("-inf"), "\ud800"],
        [1, [2, [3]], {}],
        {"id": "ord-1", "items": [{"sku": "a", "qty": 12}], "note": None},
        {"text": "x" * 600},
    ]
    if not rich:
        return plain
    return [
        *plain,
        b"\x00\xff",
        (1, (2, [3, {4}])),
        {1: "a", (2, None): "b"},
        {frozenset({1, 2}), 1.5},
        complex(1, -2),
        dt.date(2026, 1, 2),
        dt.time(1, 2, 3, tzinfo=dt.UTC),
        ZONED,
        dt.timedelta(days=-1, microseconds=5),
        decimal.Decimal("1.50"),
        uuid.UUID(int=7),
    ]
