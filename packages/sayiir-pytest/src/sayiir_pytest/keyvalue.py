"""Key-value stores for tests: one in a dictionary, and one that fails as it is told."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from threading import Lock

from sayiir_core.errors import BackendError
from sayiir_core.keyvalue import KeyValueStore, Versioned


class DictKeyValueStore:
    """Keep everything in a dictionary; every call is atomic."""

    def __init__(self) -> None:
        """Begin empty."""
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
        if key not in self._values:
            insort(self._keys, key)
        self._version += 1
        self._values[key] = Versioned(value, self._version)


class Crash(BaseException):
    """Stand for the end of the process: nothing below it is caught."""


class FlakyKeyValueStore:
    """Pass every call on, and fail at the write that is told.

    ``crash_at(n)`` raises ``Crash`` instead of the n-th write from now; ``lose_answer_at(n)``
    does the n-th write and then raises a transient ``BackendError``. ``before_put_if`` is called
    once, before the next compare-and-set: whatever it does comes between reading and writing.
    """

    def __init__(self, store: KeyValueStore) -> None:
        """Stand before a store that works."""
        self._store = store
        self._crash_at: int | None = None
        self._lose_at: int | None = None
        self.writes = 0
        self.before_put_if: Callable[[], None] | None = None

    def crash_at(self, write: int | None) -> None:
        """Raise ``Crash`` instead of this write, counted from 1; None: never."""
        self.writes, self._crash_at = 0, write

    def lose_answer_at(self, write: int | None) -> None:
        """Do this write, counted from 1, and raise as if its answer was lost; None: never."""
        self.writes, self._lose_at = 0, write

    def get(self, key: str) -> Versioned | None:
        """Pass on."""
        return self._store.get(key)

    def put(self, key: str, value: bytes) -> None:
        """Pass on, or fail."""
        self._begin()
        self._store.put(key, value)
        self._end()

    def put_if(self, key: str, value: bytes, version: object | None) -> bool:
        """Pass on, or fail."""
        interfere, self.before_put_if = self.before_put_if, None
        if interfere is not None:
            interfere()
        self._begin()
        written = self._store.put_if(key, value, version)
        self._end()
        return written

    def delete(self, key: str) -> None:
        """Pass on, or fail."""
        self._begin()
        self._store.delete(key)
        self._end()

    def scan(self, prefix: str, *, after: str | None, limit: int) -> list[tuple[str, bytes]]:
        """Pass on."""
        return self._store.scan(prefix, after=after, limit=limit)

    def _begin(self) -> None:
        self.writes += 1
        if self.writes == self._crash_at:
            self._crash_at = None
            raise Crash

    def _end(self) -> None:
        if self.writes == self._lose_at:
            self._lose_at = None
            raise BackendError("the answer was lost", transient=True)
