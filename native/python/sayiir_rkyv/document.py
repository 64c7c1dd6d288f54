"""A validated payload, and how a value is read from a place of it.

How this works. Once the native library has checked a payload whole, every offset in it is known to
be good, so values are read by ``struct`` from the immutable bytes. No native code runs and no
pointer is followed, which is several times quicker than a call per field, and cannot touch memory
that is not the payload's. A slot is 9 bytes: a tag, then a number, or a pointer of 4 bytes
(relative to itself) and a length of 4 bytes.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from sayiir_rkyv.extension import unpack_extension, unpack_integer
from sayiir_rkyv.library import Library

SLOT: Final = 9
"""The bytes of a value where it stands; what it points to stands before it."""

ROOT: Final = 17
"""The bytes at the end: the pointer to the shapes (8), and the slot of the value."""

HEADER: Final = 8
"""The bytes of a body before its archive."""

_QUICK_SEARCHES: Final = 3

pointer: Final = struct.Struct("<iI").unpack_from
box: Final = struct.Struct("<i").unpack_from
count: Final = struct.Struct("<I").unpack_from
signed: Final = struct.Struct("<q").unpack_from
unsigned: Final = struct.Struct("<Q").unpack_from
number: Final = struct.Struct("<d").unpack_from


NULL: Final = 0
BOOL: Final = 1
INT: Final = 2
UINT: Final = 3
FLOAT: Final = 4
STR: Final = 5
BYTES: Final = 6
LIST: Final = 7
MAP: Final = 8
EXT: Final = 9
TUPLE: Final = 10
SET: Final = 11
FROZENSET: Final = 12
PAIRS: Final = 13
BIG_INTEGER: Final = 14
"""The tags of the variants, in their stored order."""


class Document:
    """Hold a payload that was validated, and the shapes of its dicts as far as they were asked for."""

    __slots__ = ("_shapes", "_shapes_at", "library", "payload", "start")

    def __init__(self, payload: bytes, start: int, library: Library) -> None:
        """Validate the body that begins at ``start``, once; raises the payload errors."""
        library.validate(payload, start)
        self.payload = payload
        self.start = start
        self.library = library
        at = len(payload) - ROOT
        self._shapes_at: int = at + box(payload, at)[0]
        self._shapes: dict[int, dict[str, int]] = {}

    @property
    def root(self) -> int:
        """Return the place of the slot of the whole value."""
        return len(self.payload) - SLOT

    def shape(self, place: int) -> dict[str, int]:
        """Return the place of a value by its key, for looking up; large shapes fill when needed."""
        shape = self._shapes.get(place)
        if shape is None:
            at = self._shapes_at + 16 * place
            large = count(self.payload, at + 12)[0]
            shape = LargeShape(self.payload, at) if large else read_keys(self.payload, at)
            self._shapes[place] = shape
        return shape

    def keys(self, place: int) -> dict[str, int]:
        """Return the whole shape, in the order of its keys."""
        shape = self.shape(place)
        if isinstance(shape, LargeShape):
            shape = self._shapes[place] = read_keys(self.payload, self._shapes_at + 16 * place)
        return shape


class LargeShape(dict[str, int]):
    """Find a few keys of a shape with many by its sorted index, then read them all."""

    __slots__ = ("_at", "_is_full", "_payload", "_searches")

    def __init__(self, payload: bytes, at: int) -> None:
        self._payload = payload
        self._at = at
        self._searches = 0
        self._is_full = False

    def __missing__(self, key: object) -> int:
        # Not by the number of searches: another thread may be reading the keys just now.
        if not isinstance(key, str) or self._is_full:
            raise KeyError(key)
        self._searches += 1
        if self._searches == _QUICK_SEARCHES + 1:
            self.update(read_keys(self._payload, self._at))
            self._is_full = True
        return self._search(key)

    def _search(self, key: str) -> int:
        payload = self._payload
        wanted = key.encode("utf-8", "surrogatepass")
        keys = self._at + box(payload, self._at)[0]
        places, high = pointer(payload, self._at + 8)
        places += self._at + 8
        low = 0
        while low < high:
            middle = (low + high) // 2
            place: int = count(payload, places + 4 * middle)[0]
            at = keys + 8 * place
            offset, size = pointer(payload, at)
            found = payload[at + offset : at + offset + size]
            if found == wanted:
                return place
            if found < wanted:
                low = middle + 1
            else:
                high = middle
        raise KeyError(key)


def read_keys(payload: bytes, at: int) -> dict[str, int]:
    """Return the places of the keys of the shape that stands at ``at``."""
    offset, size = pointer(payload, at)
    at += offset
    keys: dict[str, int] = {}
    for place in range(size):
        offset, length = pointer(payload, at)
        keys[payload[at + offset : at + offset + length].decode()] = place
        at += 8
    return keys


def read_rare(payload: bytes, at: int, tag: int) -> Any:
    """Return a scalar whose tag is none of the common ones."""
    if tag == UINT:
        return unsigned(payload, at + 1)[0]
    if tag == BYTES:
        offset, size = pointer(payload, at + 1)
        at += 1 + offset
        return memoryview(payload)[at : at + size]
    if tag == BIG_INTEGER:
        offset, size = pointer(payload, at + 1)
        at += 1 + offset
        return unpack_integer(payload[at : at + size])
    at += 1 + box(payload, at + 1)[0]
    code = payload[at]
    offset, size = pointer(payload, at + 1)
    at += 1 + offset
    return unpack_extension(code, payload[at : at + size])
