"""Reading the fields of a stored document, with an error that names the place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, NoReturn, TypeVar, cast

from sayiir_core.errors import DeserializationError

_MAX_MICROSECONDS = timedelta.max // timedelta(microseconds=1)

_Word = TypeVar("_Word", bound=StrEnum)


class Fields:
    """One object of a document; every getter raises ``DeserializationError`` for a bad field."""

    __slots__ = ("_values", "where")

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self._values = values
        self.where = where

    @classmethod
    def of(cls, value: object, where: str) -> Fields:
        """Return a reader of a value that has to be an object."""
        if not isinstance(value, dict):
            raise DeserializationError(f"{where} is {type(value).__name__}, not an object")
        return cls(cast("dict[str, Any]", value), where)

    def names(self) -> list[str]:
        """Return the names of the fields."""
        return list(self._values)

    def text(self, name: str) -> str:
        """Return a text."""
        value = self._get(name)
        return value if isinstance(value, str) else self.bad(name, "a text")

    def text_or_none(self, name: str) -> str | None:
        """Return a text or null."""
        return None if self._get(name) is None else self.text(name)

    def number(self, name: str) -> int:
        """Return a whole number."""
        value = self._get(name)
        return value if type(value) is int else self.bad(name, "a whole number")

    def number_or_none(self, name: str) -> int | None:
        """Return a whole number or null."""
        return None if self._get(name) is None else self.number(name)

    def real(self, name: str) -> float:
        """Return a number."""
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.bad(name, "a number")
        return value

    def flag(self, name: str) -> bool:
        """Return true or false."""
        value = self._get(name)
        return value if isinstance(value, bool) else self.bad(name, "true or false")

    def length(self, name: str) -> timedelta:
        """Return a length of time that is kept in microseconds."""
        value = self.number(name)
        if not 0 <= value <= _MAX_MICROSECONDS:
            self.bad(name, "a number of microseconds")
        return timedelta(microseconds=value)

    def length_or_none(self, name: str) -> timedelta | None:
        """Return a length of time, or null."""
        return None if self._get(name) is None else self.length(name)

    def word(self, name: str, words: type[_Word]) -> _Word:
        """Return one of a closed set of words."""
        try:
            return words(self.text(name))
        except ValueError:
            self.bad(name, f"one of {', '.join(words)}")

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        items = self._list(name)
        texts = tuple(item for item in items if isinstance(item, str))
        return texts if len(texts) == len(items) else self.bad(name, "a list of texts")

    def record_or_none(self, name: str) -> Fields | None:
        """Return a reader of a nested object, or null."""
        value = self._get(name)
        return None if value is None else Fields.of(value, f"{name} of {self.where}")

    def record(self, name: str) -> Fields:
        """Return a reader of a nested object."""
        return Fields.of(self._get(name), f"{name} of {self.where}")

    def records(self, name: str) -> Iterator[Fields]:
        """Return a reader of each object in a list."""
        for position, item in enumerate(self._list(name)):
            yield Fields.of(item, f"{name}[{position}] of {self.where}")

    def bad(self, name: str, expected: str) -> NoReturn:
        """Refuse a field, saying what was expected."""
        raise DeserializationError(
            f"field {name!r} of {self.where} is {self._values[name]!r:.80}, not {expected}"
        )

    def _list(self, name: str) -> Sequence[object]:
        value = self._get(name)
        if not isinstance(value, list):
            self.bad(name, "a list")
        return cast("Sequence[object]", value)

    def _get(self, name: str) -> object:
        try:
            return self._values[name]
        except KeyError:
            raise DeserializationError(f"{self.where} lacks the field {name!r}") from None
