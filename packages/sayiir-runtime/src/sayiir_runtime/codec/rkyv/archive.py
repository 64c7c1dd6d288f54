"""Walk an archive with every step checked: the rules of rkyv's own validator, in Python.

How this works. A part stands before what points to it, parts of one owner stand in the order of
their pointers, and no two overlap; so there is always one *range* in which the next part may stand.
Entering a part ends the range at the part's start; leaving it begins the range at the part's end.
Each byte is therefore visited once, and no forged length reserves more than the archive's size.
The walk is a loop with a stack of its own, so depth costs no frames of the interpreter.
``docs/rkyv-format.md`` is the specification.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

from sayiir_runtime.codec.extension import MAX_INTEGER_BITS, unpack_scalar
from sayiir_runtime.codec.value import MAX_DEPTH

_SLOT: Final = 9
_ROOT: Final = 17
_RECORD: Final = 12
_EXTENSION: Final = 9
_SHAPE: Final = 16
_KEY: Final = 8

_MAX_KEY: Final = 128
_MAX_UNSORTED: Final = 32
_MAX_ARCHIVE: Final = 1 << 30
_MAX_INTEGER: Final = MAX_INTEGER_BITS // 8 + 1

_POINTER: Final = struct.Struct("<iI").unpack_from
_BOX: Final = struct.Struct("<i").unpack_from
_COUNT: Final = struct.Struct("<I").unpack_from

_NUMBERS: Final[dict[int, Callable[[bytes, int], tuple[Any, ...]]]] = {
    2: struct.Struct("<q").unpack_from,
    3: struct.Struct("<Q").unpack_from,
    4: struct.Struct("<d").unpack_from,
}
_NULL, _BOOL, _STR, _BYTES, _LIST, _MAP, _EXT, _TUPLE, _SET, _FROZENSET, _PAIRS, _BIG = (
    *(0, 1, 5, 6),
    *range(7, 15),
)
_SIZES: Final = {6: 24, 8: 16, 11: 16}
"""The bytes of an extension whose size is fixed, by its code."""

_SCALARS: Final = frozenset({3, 4, 5, 6, 7, 8, 11, 13})
"""The extensions that are scalars and have no tag of their own."""


class BadArchiveError(Exception):
    """Say what is wrong with an archive."""


class UnknownExtensionError(Exception):
    """Name an extension that a newer release brought."""


def read_archive(archive: bytes) -> Any:
    """Return the value of an archive.

    Raises ``BadArchiveError`` for bytes that are none, ``UnknownExtensionError`` for a scalar of an unknown type.
    """
    if not _ROOT <= len(archive) <= _MAX_ARCHIVE:
        raise BadArchiveError("the archive is too small or too large")
    walk = _Walk(archive)
    walk.enter(len(archive) - _ROOT, _ROOT)
    shapes = walk.shapes(len(archive) - _ROOT)
    return walk.value(len(archive) - _SLOT, shapes)


class _Frame:
    """A container that is being read: where its next slot stands, and what it has so far."""

    __slots__ = ("at", "build", "items", "left", "outside")

    def __init__(
        self, at: int, left: int, build: Callable[[list[Any]], Any], outside: tuple[int, int]
    ) -> None:
        self.at = at
        self.left = left
        self.build = build
        self.items: list[Any] = []
        self.outside = outside


class _Walk:
    """The archive, and the range in which the next part may stand."""

    __slots__ = ("archive", "end", "start")

    def __init__(self, archive: bytes) -> None:
        self.archive = archive
        self.start = 0
        self.end = len(archive)

    def enter(self, at: int, size: int) -> tuple[int, int]:
        """Begin a part; return the range that holds after it."""
        if at < self.start or at + size > self.end:
            raise BadArchiveError(
                f"a part of {size} bytes at {at}, outside of {self.start} to {self.end}"
            )
        outside = at + size, self.end
        self.end = at
        return outside

    def leave(self, outside: tuple[int, int]) -> None:
        """End a part."""
        self.start, self.end = outside

    def shapes(self, field: int) -> list[tuple[str, ...]]:
        """Return the keys of every shape."""
        at, size = self._target(field)
        outside = self.enter(at, size * _SHAPE)
        shapes = [self._shape(at + _SHAPE * place) for place in range(size)]
        self.leave(outside)
        return shapes

    def value(self, at: int, shapes: list[tuple[str, ...]]) -> Any:
        """Return the value of the slot at a place."""
        frames = [_Frame(at, 1, _first, (0, 0))]
        while True:
            frame = frames[-1]
            if frame.left:
                self._slot(frame, frames, shapes)
                continue
            value = _build(frame)
            frames.pop()
            if not frames:
                return value
            self.leave(frame.outside)
            frames[-1].items.append(value)

    def _slot(self, frame: _Frame, frames: list[_Frame], shapes: list[tuple[str, ...]]) -> None:
        """Read the next slot of a container: a scalar, or the beginning of another container."""
        at = frame.at
        frame.at += _SLOT
        frame.left -= 1
        tag = self.archive[at]
        if tag in _BUILDERS or tag == _MAP:
            if len(frames) > MAX_DEPTH:
                raise BadArchiveError(f"more than {MAX_DEPTH} containers inside each other")
            frames.append(self._map(at, shapes) if tag == _MAP else self._sequence(at, tag))
        else:
            frame.items.append(self._scalar(at, tag))

    def _sequence(self, at: int, tag: int) -> _Frame:
        target, size = self._target(at + 1)
        if tag == _PAIRS and size % 2:
            raise BadArchiveError("a dict has a key without a value")
        return _Frame(target, size, _BUILDERS[tag], self.enter(target, size * _SLOT))

    def _map(self, at: int, shapes: list[tuple[str, ...]]) -> _Frame:
        record = at + 1 + _BOX(self.archive, at + 1)[0]
        outside = self.enter(record, _RECORD)
        shape: int = _COUNT(self.archive, record)[0]
        target, size = self._target(record + 4)
        self.enter(target, size * _SLOT)
        if shape >= len(shapes):
            raise BadArchiveError(f"a dict has shape {shape}, which is not there")
        keys = shapes[shape]
        if len(keys) != size:
            raise BadArchiveError("a dict has more or fewer values than keys")
        return _Frame(target, size, lambda items: dict(zip(keys, items, strict=True)), outside)

    def _scalar(self, at: int, tag: int) -> Any:
        if tag == _NULL:
            return None
        if tag == _BOOL:
            truth = self.archive[at + 1]
            if truth > 1:
                raise BadArchiveError(f"a truth value of {truth}")
            return truth == 1
        if tag in _NUMBERS:
            return _NUMBERS[tag](self.archive, at + 1)[0]
        if tag == _STR:
            return self._text(at + 1)
        if tag == _BYTES:
            return self._bytes(at + 1)
        if tag == _BIG:
            digits = self._bytes(at + 1)
            if not 0 < len(digits) <= _MAX_INTEGER:
                raise BadArchiveError("an integer has no digits or too many")
            return int.from_bytes(digits, "little", signed=True)
        if tag == _EXT:
            return self._extension(at + 1)
        raise BadArchiveError(f"a value has tag {tag}")

    def _extension(self, field: int) -> Any:
        at: int = field + _BOX(self.archive, field)[0]
        outside = self.enter(at, _EXTENSION)
        code: int = self.archive[at]
        data = self._bytes(at + 1)
        self.leave(outside)
        if code not in _SCALARS:
            raise UnknownExtensionError(f"a value of the unknown extension type {code}")
        if len(data) != _SIZES.get(code, len(data)):
            raise BadArchiveError(f"a value of extension type {code} has {len(data)} bytes")
        try:
            return unpack_scalar(code, data)
        except (ValueError, ArithmeticError, LookupError, struct.error) as error:
            raise BadArchiveError(f"a value of extension type {code}: {error}") from None

    def _shape(self, at: int) -> tuple[str, ...]:
        target, size = self._target(at)
        outside = self.enter(target, size * _KEY)
        keys = tuple(self._text(target + _KEY * place) for place in range(size))
        self.leave(outside)
        places, count = self._target(at + 8)
        self.leave(self.enter(places, 4 * count))
        if any(len(key.encode()) > _MAX_KEY for key in keys):
            raise BadArchiveError("a shape has a key that is too long")
        if len(set(keys)) != size:
            raise BadArchiveError("a shape has one key twice")
        order = struct.unpack_from(f"<{count}I", self.archive, places)
        expected: list[int] = []
        if size > _MAX_UNSORTED:
            expected = sorted(range(size), key=lambda place: keys[place].encode())
        if [*order] != expected:
            raise BadArchiveError("the index of a shape does not fit its keys")
        return keys

    def _text(self, field: int) -> str:
        try:
            return self._bytes(field).decode()
        except UnicodeDecodeError as error:
            raise BadArchiveError(f"a text is not UTF-8 ({error.reason})") from None

    def _bytes(self, field: int) -> bytes:
        at, size = self._target(field)
        self.leave(self.enter(at, size))
        return self.archive[at : at + size]

    def _target(self, field: int) -> tuple[int, int]:
        """Return where a pointer leads, and the length beside it."""
        offset, size = _POINTER(self.archive, field)
        return field + offset, size


def _first(items: list[Any]) -> Any:
    return items[0]


def _as_it_is(items: list[Any]) -> list[Any]:
    return items


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


_BUILDERS: Final[dict[int, Callable[[list[Any]], Any]]] = {
    _LIST: _as_it_is,
    _TUPLE: tuple,
    _SET: set,
    _FROZENSET: frozenset,
    _PAIRS: _pairs,
}


def _build(frame: _Frame) -> Any:
    try:
        return frame.build(frame.items)
    except TypeError as error:
        raise BadArchiveError(f"a key or a member of a set cannot be hashed ({error})") from None
