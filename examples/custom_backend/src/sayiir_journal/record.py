"""The records of a journal, and what one process knows of them.

A record is a head, a key and a value. Head and body have a checksum each, so that a record which
the end of the file cuts short is told from damage before the end. (A last record whose body does
not fit its checksum counts as cut short: a disk may write the end of a file first.)
"""

from __future__ import annotations

import os
import struct
import zlib
from bisect import bisect_left, insort
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

from sayiir_core.errors import BackendError

# The checksums of the rest of the head and of the body, the number, the sizes of key and value.
_HEAD: Final = struct.Struct(">IIQII")
_SUM: Final = 4
_GONE: Final = 0xFFFF_FFFF
_MAGIC: Final = b"sayiir-journal 1"


def pack(number: int, key: str, value: bytes | None) -> bytes:
    """Return a record; without a value it says that the key is gone."""
    name = key.encode()
    body = name + (value or b"")
    size = _GONE if value is None else len(value)
    head = _HEAD.pack(0, zlib.crc32(body), number, len(name), size)[_SUM:]
    return zlib.crc32(head).to_bytes(_SUM, "big") + head + body


def first_record(number: int) -> bytes:
    """Return what a file begins with; whatever is appended later has a higher number."""
    return pack(number, "", _MAGIC)


class Place(NamedTuple):
    """Where the value of a key stands, and the number of its record, which is its version."""

    number: int
    offset: int
    size: int
    record_size: int


class View:
    """The file as one process has opened it, and where the newest value of each key stands."""

    def __init__(self) -> None:
        self.mutex = Lock()
        self.descriptor = -1
        self._forget()

    def _forget(self) -> None:
        self.places: dict[str, Place] = {}
        self.keys: list[str] = []
        self.number = self.end = self.needed = 0

    def close(self) -> None:
        """Close the file; ``catch_up`` begins anew."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor = -1
        self._forget()

    def read(self, place: Place) -> bytes:
        """Return a value."""
        return os.pread(self.descriptor, place.size, place.offset)

    def catch_up(self, path: Path) -> None:
        """Take in what was appended since, or the file that has replaced the known one."""
        there = path.stat()
        if self.descriptor < 0 or not os.path.samestat(there, os.fstat(self.descriptor)):
            self.close()
            self.descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        while self.end < there.st_size and self._take_next(path, there.st_size):
            pass
        if self.end == 0:
            raise BackendError(f"{path} is no journal: give another path, or move that file away")

    def _take_next(self, path: Path, size: int) -> bool:
        """Take in one record; False if the end of the file cuts it short."""
        head = os.pread(self.descriptor, _HEAD.size, self.end)
        if len(head) < _HEAD.size:
            return False
        head_sum, body_sum, number, key_size, stored = _HEAD.unpack(head)
        value_size = None if stored == _GONE else stored
        body_size = key_size + (value_size or 0)
        left = size - self.end - _HEAD.size - body_size
        body = os.pread(self.descriptor, body_size, self.end + _HEAD.size) if left >= 0 else b""
        sound = zlib.crc32(head[_SUM:]) == head_sum
        if sound and zlib.crc32(body) == body_sum and (self.end or body == _MAGIC):
            self.take(number, body[:key_size].decode(), value_size)
            return True
        if self.end == 0 or (sound and left <= 0):
            return False
        raise BackendError(f"{path} is damaged at byte {self.end}: restore it from a backup")

    def take(self, number: int, key: str, value_size: int | None) -> None:
        """Take in the record that stands at the known end."""
        offset = self.end + _HEAD.size + len(key.encode())
        end = offset + (value_size or 0)
        former = self.places.pop(key, None)
        if former is not None:
            self.needed -= former.record_size
        if value_size is not None and key:
            self.places[key] = Place(number, offset, value_size, end - self.end)
            self.needed += end - self.end
            if former is None:
                insort(self.keys, key)
        elif former is not None:
            del self.keys[bisect_left(self.keys, key)]
        self.number, self.end = max(self.number, number), end
