"""Views over decoded data, for codecs that have none of their own.

A view shows plain data that nobody else holds, so it can be shared: nothing that it gives can be
changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast, overload

_KINDS: Final = (Mapping, Sequence)
_SEQUENCES: Final = frozenset({list, tuple})


def view_of(value: Any) -> Any:
    """Return a view of a dict, list or tuple, and anything else as it is.

    A set is given as a frozenset. The value must not be changed any more.
    """
    kind: type[Any] = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind is dict:
        return MapView(value)
    if kind is list or kind is tuple:
        return SequenceView(value)
    return frozenset(value) if kind is set else value


def is_view(value: object) -> bool:
    """Tell whether a value is a view, of whatever codec."""
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, _KINDS):
        return False
    return callable(getattr(cast("Any", value), "decode", None))


class MapView(Mapping[Any, Any]):
    """A dict that cannot be changed."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[Any, Any]) -> None:
        self._fields = fields

    def decode(self) -> dict[Any, Any]:
        """Return plain data that is nobody else's."""
        return {key: plain(item) for key, item in self._fields.items()}

    def __getitem__(self, key: Any) -> Any:
        return view_of(self._fields[key])

    def __contains__(self, key: object) -> bool:
        return key in self._fields

    def __iter__(self) -> Iterator[Any]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        fields: Any = other._fields if isinstance(other, MapView) else other
        if not issubclass(type(fields), Mapping):
            return NotImplemented
        return dict(self._fields) == dict(fields)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (list(self.decode().items()),)

    def __repr__(self) -> str:
        return f"<MapView {self._fields!r}>"


class SequenceView(Sequence[Any]):
    """A list or tuple that cannot be changed."""

    __slots__ = ("_items",)

    def __init__(self, items: Sequence[Any]) -> None:
        self._items = items

    def decode(self) -> Any:
        """Return plain data that is nobody else's: a list, or a tuple where one was stored."""
        items = [plain(item) for item in self._items]
        return tuple(items) if type(self._items) is tuple else items

    def pluck(self, key: Any) -> list[Any]:
        """Return the value of one key of every item."""
        return [view_of(item[key]) for item in self._items]

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> SequenceView: ...

    def __getitem__(self, index: int | slice) -> Any:
        return view_of(self._items[index])

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        items: Any = other._items if isinstance(other, SequenceView) else other
        if type(items) not in _SEQUENCES and not is_view(items):
            return NotImplemented
        # A view of another codec knows whether it shows a list or a tuple.
        return bool(self._items == (plain(items) if is_view(items) else items))

    __hash__ = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self._items), (list(self.decode()),)

    def __repr__(self) -> str:
        return f"<SequenceView {self._items!r}>"


def plain(value: Any) -> Any:
    """Return a copy of what a view shows, without views in it."""
    if is_view(value):
        return value.decode()
    kind: type[Any] = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind is dict:
        return {key: plain(item) for key, item in value.items()}
    if kind is list or kind is tuple:
        items: list[Any] = [plain(item) for item in value]
        return tuple(items) if kind is tuple else items
    return set(value) if kind is set else value
