"""The limits that an annotation puts on its values: bounds, sizes, digits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypedDict

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

_LARGEST: Final = 2**70
_ITEMS: Final = 8


class Sizes(TypedDict):
    """How many items there may be, as the strategies of hypothesis call it."""

    min_size: int
    max_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the marks of ``annotated_types`` and pydantic's ``Field`` say, as far as it is said."""

    gt: Any = None
    ge: Any = None
    lt: Any = None
    le: Any = None
    min_length: int | None = None
    max_length: int | None = None
    max_digits: int | None = None
    decimal_places: int | None = None
    pattern: str | None = None

    @classmethod
    def of(cls, marks: Iterable[Any]) -> Limits:
        """Read the marks of an ``Annotated``; those of other kinds are left to whoever put them."""
        said = {
            name: value
            for mark in _flat(marks)
            for name in cls.__slots__
            if (value := getattr(mark, name, None)) is not None
        }
        return cls(**said)

    @property
    def sizes(self) -> Sizes:
        """Return the sizes of a container, bounded even if nothing is said."""
        least = self.min_length or 0
        return Sizes(min_size=least, max_size=_given(self.max_length, least + _ITEMS))

    def integers(self) -> SearchStrategy[int]:
        """Return the integers within the bounds."""
        least = _first(self.ge, None if self.gt is None else self.gt + 1)
        most = _first(self.le, None if self.lt is None else self.lt - 1)
        return st.integers(_given(least, -_LARGEST), _given(most, _LARGEST))

    def floats(self) -> SearchStrategy[float]:
        """Return the finite floats within the bounds."""
        return st.floats(
            _first(self.ge, self.gt),
            _first(self.le, self.lt),
            exclude_min=self.gt is not None,
            exclude_max=self.lt is not None,
            allow_nan=False,
            allow_infinity=False,
        )

    def decimals(self) -> SearchStrategy[Decimal]:
        """Return the finite decimals within the bounds, of so many digits."""
        least, most = _first(self.ge, self.gt), _first(self.le, self.lt)
        if self.max_digits is not None:
            largest = Decimal(10) ** (self.max_digits - (self.decimal_places or 0)) - 1
            least = -largest if least is None else max(Decimal(least), -largest)
            most = largest if most is None else min(Decimal(most), largest)
        made = st.decimals(
            least, most, places=self.decimal_places, allow_nan=False, allow_infinity=False
        )
        return made.filter(lambda value: value not in (self.gt, self.lt))

    def text(self) -> SearchStrategy[str]:
        """Return text of the length, or of the pattern."""
        if self.pattern is None:
            return st.text(**self.sizes)
        sizes, pattern = self.sizes, self.pattern
        least, most = sizes["min_size"], _given(self.max_length, 10**6)
        return st.from_regex(pattern).filter(lambda text: least <= len(text) <= most)


def _flat(marks: Iterable[Any]) -> Iterator[Any]:
    """Yield marks, and those inside of a ``Field``."""
    for mark in marks:
        inside = getattr(mark, "metadata", None)
        if isinstance(inside, list):
            yield from inside
        else:
            yield mark


def _first(one: Any, other: Any) -> Any:
    return other if one is None else one


def _given(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value
