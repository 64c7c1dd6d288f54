"""Key-value stores for tests: one in a dictionary, and one that fails as it is told."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from threading import Lock

from sayiir_core.errors import BackendError, RefusedRowError
from sayiir_core.keyvalue import KeyValueStore, Versioned


class DictKeyValueStore:
    """Keep everything in a dictionary; every call is atomic.

    ``largest`` is the length in bytes of the longest value that it takes, None for any.
    """

    def __init__(self, *, largest: int | None = None) -> None:
        """Begin empty."""
        self.largest = largest
        self._values: dict[str, Versioned] = {}
        self._keys: list[str] = []
        self._version = 0
        self._lock = Lock()

    def get(self, key: str) -> Versioned | None:
        """Return the value, None if there is none."""
        return self._values.get(key)

    def put(self, key: str, value: bytes) -> None:
        """Write the value, whatever was there."""
        with self._lock:
            self._write(key, value)

    def put_if(self, key: str, value: bytes, version: object | None) -> bool:
        """Write the value only if the version is still this one."""
        with self._lock:
            found = self._values.get(key)
            if (None if found is None else found.version) != version:
                return False
            self._write(key, value)
            return True

    def delete(self, key: str) -> None:
        """Remove the value."""
        with self._lock:
            if self._values.pop(key, None) is not None:
                del self._keys[bisect_left(self._keys, key)]

    def scan(self, prefix: str, *, after: str | None, limit: int) -> list[tuple[str, bytes]]:
        """Return up to ``limit`` keys with this prefix and their values, in order."""
        with self._lock:
            found: list[tuple[str, bytes]] = []
            position = bisect_left(self._keys, prefix if after is None else max(prefix, after))
            for key in self._keys[position:]:
                if not key.startswith(prefix) or len(found) == limit:
                    break
                if key != after:
                    found.append((key, self._values[key].value))
            return found

    def _write(self, key: str, value: bytes) -> None:
        if self.largest is not None and len(value) > self.largest:
            raise RefusedRowError(
                f"a value of {len(value)} bytes is longer than the {self.largest} of this store"
            )
        if key not in self._values:
            insort(self._keys, key)
        self._version += 1
        self._values[key] = Versioned(value, self._version)


class Crash(BaseException):
    """Stand for the end of the process: nothing below it is caught."""


class FlakyKeyValueStore:
    """Pass every call on, and fail or be overtaken at the write that is told."""

    def __init__(self, store: KeyValueStore) -> None:
        """Stand before a store that works."""
        self._store = store
        self._crash_at: int | None = None
        self._lose_at: int | None = None
        self._interference: tuple[str, str, Callable[[], object]] | None = None
        self.writes = 0

    def crash_at(self, write: int) -> None:
        """Raise ``Crash`` instead of this write, counted from 1."""
        self.writes, self._crash_at = 0, write

    def lose_answer_at(self, write: int) -> None:
        """Do this write, counted from 1, and then raise a transient ``BackendError``."""
        self.writes, self._lose_at = 0, write

    def interfere_before(self, operation: str, prefix: str, action: Callable[[], object]) -> None:
        """Do something once, before the next such operation on a key with this prefix."""
        self._interference = operation, prefix, action

    def get(self, key: str) -> Versioned | None:
        """Pass on."""
        return self._store.get(key)

    def put(self, key: str, value: bytes) -> None:
        """Pass on, or fail."""
        self._begin("put", key)
        self._store.put(key, value)
        self._end()

    def put_if(self, key: str, value: bytes, version: object | None) -> bool:
        """Pass on, or fail."""
        self._begin("put_if", key)
        written = self._store.put_if(key, value, version)
        self._end()
        return written

    def delete(self, key: str) -> None:
        """Pass on, or fail."""
        self._begin("delete", key)
        self._store.delete(key)
        self._end()

    def scan(self, prefix: str, *, after: str | None, limit: int) -> list[tuple[str, bytes]]:
        """Pass on."""
        return self._store.scan(prefix, after=after, limit=limit)

    def _begin(self, operation: str, key: str) -> None:
        if self._interference is not None:
            at, prefix, action = self._interference
            if at == operation and key.startswith(prefix):
                self._interference = None
                action()
        self.writes += 1
        if self.writes == self._crash_at:
            self._crash_at = None
            raise Crash

    def _end(self) -> None:
        if self.writes == self._lose_at:
            self._lose_at = None
            raise BackendError("the answer was lost", transient=True)
