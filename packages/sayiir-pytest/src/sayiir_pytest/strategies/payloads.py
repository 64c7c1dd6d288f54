"""Values of an annotation, as tasks take and return them and the JSON codec stores them.

How this works: an annotation is walked part by part, so that every part is one that the codec keeps as
it is: numbers are finite, text is encodable. Models are recognised by what they offer, so pydantic need
not be installed.
"""

from __future__ import annotations

import dataclasses
import enum
import typing
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union
from uuid import UUID

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from sayiir_pytest.strategies.limits import Limits, Sizes

Scalar = Callable[[Limits], SearchStrategy[Any]]

_LONGEST: Final = timedelta(days=10_000)
_LEAVES: Final = 8
_UNIONS: Final = (Union, UnionType)
_MARKS: Final = (typing.Required, typing.NotRequired)
_LISTS: Final = (list, Sequence)
_SETS: Final = (set, frozenset, AbstractSet)
_DICTS: Final = (dict, Mapping)
_BARE: Final[Mapping[type, Any]] = {
    list: list[Any],
    tuple: tuple[Any, ...],
    set: set[int],
    frozenset: frozenset[int],
    dict: dict[str, Any],
}


def payloads(kind: Any = Any) -> SearchStrategy[Any]:
    """Return a strategy of values of a type or annotation that survive being stored.

    Takes what tasks may be annotated with: pydantic models with their constraints, dataclasses, typed
    dicts, enums, unions, containers, dates and numbers; ``Any`` gives plain JSON values. Raises
    ``hypothesis.errors.ResolutionFailed`` for what has no strategy.
    """
    return _Resolver().of(kind)


class _Resolver:
    """One annotation; what contains itself refers to the strategy that is being made."""

    def __init__(self) -> None:
        self._known: dict[Any, SearchStrategy[Any]] = {}

    def of(self, kind: Any, limits: Limits | None = None) -> SearchStrategy[Any]:
        limits = limits or Limits()
        if kind is Any or kind is object or isinstance(kind, TypeVar):
            return _plain()
        if kind in _SCALARS:
            return _SCALARS[kind](limits)
        if isinstance(kind, type) and typing.get_origin(kind) is None:
            return self._of_class(kind, limits)
        return self._of_generic(kind, limits)

    def _of_class(self, kind: type[Any], limits: Limits) -> SearchStrategy[Any]:
        if kind in _BARE:
            return self._of_generic(_BARE[kind], limits)
        if issubclass(kind, enum.Enum):
            return st.sampled_from(kind)
        make = self._maker(kind)
        if make is None:
            return st.from_type(kind)
        if kind not in self._known:
            self._known[kind] = st.deferred(make)
        return self._known[kind]

    def _maker(self, kind: Any) -> Callable[[], SearchStrategy[Any]] | None:
        if typing.is_typeddict(kind):
            return lambda: self._typed_dict(kind)
        if hasattr(kind, "model_fields") and hasattr(kind, "model_validate"):
            return lambda: self._model(kind)
        return (lambda: self._dataclass(kind)) if dataclasses.is_dataclass(kind) else None

    def _of_generic(self, kind: Any, limits: Limits) -> SearchStrategy[Any]:
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        aliased = getattr(kind, "__supertype__", getattr(kind, "__value__", None))
        if aliased is not None:
            return self.of(aliased, limits)
        if origin is Annotated:
            return self.of(arguments[0], Limits.of(kind.__metadata__))
        if origin in _UNIONS:
            return st.one_of([self.of(each, limits) for each in arguments])
        if origin is Literal:
            return st.sampled_from(arguments)
        if origin in _MARKS:
            return self.of(arguments[0], limits)
        return self._container(kind, limits.sizes)

    def _container(self, kind: Any, sizes: Sizes) -> SearchStrategy[Any]:
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin in _LISTS:
            return st.lists(self.of(arguments[0]), **sizes)
        if origin in _SETS:
            made = st.frozensets(self.of(arguments[0]), **sizes)
            return made.map(set) if origin is set else made
        if origin in _DICTS:
            return st.dictionaries(self.of(arguments[0]), self.of(arguments[1]), **sizes)
        if origin is tuple and arguments[-1:] == (...,):
            return st.lists(self.of(arguments[0]), **sizes).map(tuple)
        if origin is tuple:
            return st.tuples(*map(self.of, arguments))
        return st.from_type(kind)

    def _typed_dict(self, kind: Any) -> SearchStrategy[Any]:
        hints = typing.get_type_hints(kind, include_extras=True)
        required = {name: self.of(it) for name, it in hints.items() if _is_required(kind, name, it)}
        optional = {name: self.of(it) for name, it in hints.items() if name not in required}
        return st.fixed_dictionaries(required, optional=optional)

    def _dataclass(self, kind: Any) -> SearchStrategy[Any]:
        hints = typing.get_type_hints(kind, include_extras=True)
        names = [field.name for field in dataclasses.fields(kind) if field.init]
        return st.builds(kind, **{name: self.of(hints[name]) for name in names})

    def _model(self, kind: Any) -> SearchStrategy[Any]:
        """Return instances of a model; its own validators have the last word."""
        parts = {
            field.alias or name: self.of(field.annotation, Limits.of(field.metadata))
            for name, field in kind.model_fields.items()
        }

        def validate(values: dict[str, Any]) -> Any:
            try:
                return kind.model_validate(values)
            except ValueError:
                return reject()

        return st.fixed_dictionaries(parts).map(validate)


def _is_required(kind: Any, name: str, hint: Any) -> bool:
    """Tell whether a typed dict must have a key, also if its annotations were strings."""
    origin = typing.get_origin(hint)
    return origin is not typing.NotRequired and (
        origin is typing.Required or name in kind.__required_keys__
    )


def _plain() -> SearchStrategy[Any]:
    no_limits = Limits()
    leaves = st.one_of(
        st.none(), st.booleans(), no_limits.integers(), no_limits.floats(), st.text()
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)
        ),
        max_leaves=_LEAVES,
    )


_SCALARS: Final[Mapping[Any, Scalar]] = {
    None: lambda _: st.none(),
    NoneType: lambda _: st.none(),
    bool: lambda _: st.booleans(),
    int: Limits.integers,
    float: Limits.floats,
    str: Limits.text,
    # Bytes are stored as text.
    bytes: lambda _: st.text().map(str.encode),
    datetime: lambda _: st.datetimes(timezones=st.sampled_from([None, UTC])),
    date: lambda _: st.dates(),
    time: lambda _: st.times(),
    timedelta: lambda _: st.timedeltas(-_LONGEST, _LONGEST),
    Decimal: Limits.decimals,
    UUID: lambda _: st.uuids(),
}
