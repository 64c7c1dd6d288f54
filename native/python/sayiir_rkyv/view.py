"""Views: dicts and lists of a validated payload whose members are read when they are asked for.

A view holds its document, and so the whole payload, for as long as it lives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import getitem
from typing import Any, Final, Protocol, TypeAlias, cast, overload

from sayiir_core.errors import CorruptPayloadError
from sayiir_rkyv.document import (
    BOOL,
    FLOAT,
    FROZENSET,
    INT,
    LIST,
    MAP,
    NULL,
    PAIRS,
    SET,
    SLOT,
    STR,
    TUPLE,
    Document,
    box,
    count,
    number,
    pointer,
    read_rare,
    signed,
)
from sayiir_rkyv.packing import pack_path, unpack

_DICTS: Final = frozenset({MAP, PAIRS})
_LISTS: Final = frozenset({LIST, TUPLE})
_SETS: Final = frozenset({SET, FROZENSET})

_NATIVE_SHARE: Final = 64
"""A part whose members' slots alone make up this share of the payload is decoded natively."""


class _Owner(Protocol):
    @property
    def path(self) -> tuple[Any, ...]: ...

    @property
    def is_walkable(self) -> bool: ...


class _View:  # noqa: PLW1641 - unhashable, like what it stands for
    """What views of dicts and lists have in common: a document, a place, and the way there."""

    __slots__ = ("_at", "_document", "_key", "_owner", "_size")

    _document: Document
    _at: int
    _size: int
    _owner: _Owner | None
    _key: Any

    @property
    def path(self) -> tuple[Any, ...]:
        """Return the keys and places that lead here from the whole value."""
        return () if self._owner is None else (*self._owner.path, self._key)

    @property
    def is_walkable(self) -> bool:
        """Tell whether the library, too, comes by the path to each member of this."""
        return self._owner is None or self._owner.is_walkable

    def pack_path(self) -> bytes | None:
        """Return the packed path, nothing if the library could not follow it."""
        owner = self._owner
        return pack_path(self.path) if owner is None or owner.is_walkable else None

    def __len__(self) -> int:
        return self._size

    def __eq__(self, other: object) -> bool:
        return bool(self.decode() == plain(other))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.decode(),)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {list(self.path)!a} with {self._size} members>"

    def decode(self) -> Any:
        """Return plain data: what decoding the whole payload has at this place."""
        document = self._document
        if self._owner is None or self._size * SLOT * _NATIVE_SHARE > len(document.payload):
            path = self.pack_path()
            if path is not None:
                return unpack(document.library.dump(document.payload, document.start, path))
        return self.decode_members()

    def decode_members(self) -> Any:
        """Return plain data by reading one member after the other, here and not natively."""
        raise NotImplementedError


class MapView(_View, Mapping[Any, Any]):
    """A dict of a payload: a value is found by one look-up and decoded alone."""

    __slots__ = ("_index", "_shape", "_stride")

    def __init__(
        self, document: Document, at: int, *, owner: _Owner | None = None, key: Any = None
    ) -> None:
        payload = document.payload
        self._document = document
        self._owner = owner
        self._key = key
        self._index: dict[Any, int]
        if payload[at] == MAP:
            at += 1 + box(payload, at + 1)[0]
            self._shape: int = count(payload, at)[0]
            offset, self._size = pointer(payload, at + 4)
            self._at = at + 4 + offset
            self._stride = SLOT
            self._index = document.shape(self._shape)
        else:
            offset, size = pointer(payload, at + 1)
            self._at = at + 1 + offset + SLOT
            self._size = size // 2
            self._stride = 2 * SLOT
            self._shape = -1
            self._index = _pairs(document, self._at - SLOT, self._size)

    @property
    def is_walkable(self) -> bool:
        """Tell False for pairs: only Python knows that 1, 1.0 and True are one key."""
        return self._shape >= 0 and super().is_walkable

    def __getitem__(self, key: Any) -> Any:
        return read(self._document, self._at + self._stride * self._index[key], self, key)

    def __contains__(self, key: object) -> bool:
        try:
            self._index[key]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[Any]:
        return iter(self._keys())

    def _keys(self) -> dict[Any, int]:
        return self._index if self._shape < 0 else self._document.keys(self._shape)

    def decode_members(self) -> dict[Any, Any]:
        """Return a dict."""
        document, at, stride = self._document, self._at, self._stride
        return {key: read_plain(document, at + stride * n) for key, n in self._keys().items()}


class SequenceView(_View, Sequence[Any]):
    """A list or tuple of a payload."""

    __slots__ = ("_kind",)

    def __init__(
        self, document: Document, at: int, *, owner: _Owner | None = None, key: Any = None
    ) -> None:
        payload = document.payload
        self._kind: type[Any] = list if payload[at] == LIST else tuple
        offset, self._size = pointer(payload, at + 1)
        self._at = at + 1 + offset
        self._document = document
        self._owner = owner
        self._key = key

    @overload
    def __getitem__(self, place: int) -> Any: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Any]: ...

    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return self._kind(self[each] for each in range(*place.indices(self._size)))
        if place < 0:
            place += self._size
        if not 0 <= place < self._size:
            raise IndexError("the place is behind the end of the sequence")
        return read(self._document, self._at + SLOT * place, self, place)

    def __iter__(self) -> Iterator[Any]:
        document, at = self._document, self._at
        for place in range(self._size):
            yield read(document, at, self, place)
            at += SLOT

    def pluck(self, *steps: str | int) -> list[Any]:
        """Return what the steps lead to in each member, decoded natively in one go.

        Raises ``LookupError`` naming a member that has nothing there.
        """
        document = self._document
        outer, inner = self.pack_path(), pack_path(steps)
        if outer is None or inner is None:
            return [plain(_reached(item, steps, place)) for place, item in enumerate(self)]
        plucked = document.library.pluck(document.payload, document.start, outer, inner)
        values: list[Any] = unpack(plucked)
        return values

    def decode_members(self) -> Any:
        """Return a list or a tuple."""
        document, at = self._document, self._at
        places = range(at, at + SLOT * self._size, SLOT)
        return self._kind(read_plain(document, place) for place in places)


View: TypeAlias = MapView | SequenceView


def read(document: Document, at: int, owner: _Owner | None = None, key: Any = None) -> Any:
    """Return the value of a slot: a view of a dict, list or tuple, else the value itself."""
    payload = document.payload
    tag = payload[at]
    if tag == STR:
        offset, size = pointer(payload, at + 1)
        at += 1 + offset
        return payload[at : at + size].decode()
    if tag == INT:
        return signed(payload, at + 1)[0]
    if tag in _DICTS:
        return MapView(document, at, owner=owner, key=key)
    if tag == FLOAT:
        return number(payload, at + 1)[0]
    if tag in _LISTS:
        return SequenceView(document, at, owner=owner, key=key)
    if tag == NULL:
        return None
    if tag == BOOL:
        return payload[at + 1] == 1
    if tag in _SETS:
        return read_plain(document, at)
    return read_rare(payload, at, tag)


def read_plain(document: Document, at: int) -> Any:
    """Return the value of a slot as plain data."""
    payload = document.payload
    tag = payload[at]
    if tag in _SETS:
        offset, size = pointer(payload, at + 1)
        at += 1 + offset
        members = [read_plain(document, each) for each in range(at, at + SLOT * size, SLOT)]
        try:
            return set(members) if tag == SET else frozenset(members)
        except TypeError as error:
            raise CorruptPayloadError(
                f"the rkyv payload holds a set of what cannot be hashed ({error}); restore the "
                f"row from a backup, or run the instance again"
            ) from None
    value = read(document, at)
    return value.decode_members() if isinstance(value, _View) else plain(value)


def plain(value: Any) -> Any:
    """Return what ``read`` gave as plain data."""
    if isinstance(value, memoryview):
        return bytes(cast("memoryview[int]", value))
    return value.decode() if isinstance(value, _View) else value


def _reached(item: Any, steps: tuple[str | int, ...], place: int) -> Any:
    try:
        return reduce(getitem, steps, item)
    except (LookupError, TypeError) as error:
        raise LookupError(f"item {place}: {error}") from None


def _pairs(document: Document, at: int, size: int) -> dict[Any, int]:
    """Return the places of the pairs by their keys, which are of any hashable type."""
    keys = [read_plain(document, at + 2 * SLOT * place) for place in range(size)]
    try:
        return {key: place for place, key in enumerate(keys)}
    except TypeError as error:
        raise CorruptPayloadError(
            f"the rkyv payload holds a dict with a key that cannot be hashed ({error}); restore "
            f"the row from a backup, or run the instance again"
        ) from None


def _restore(plain: Any) -> Any:
    return plain
