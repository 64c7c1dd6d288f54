"""Bugs of key-value stores; the names of the calls say what they do."""

# ruff: noqa: D102

from __future__ import annotations

import time
from typing import Any

import pytest

from sayiir_core.keyvalue import KeyValueStore, Versioned
from sayiir_pytest.conformance import KeyValueStoreConformance
from sayiir_pytest.keyvalue import DictKeyValueStore


class Broken(KeyValueStoreConformance):
    """Make the store that a class names."""

    broken: type[DictKeyValueStore]
    largest = 1024

    @pytest.fixture
    def location(self) -> Any:
        return self.broken(largest=self.largest)

    def make_store(self, location: Any) -> KeyValueStore:
        store: KeyValueStore = location
        return store


class TakesTheValueForItsVersion(DictKeyValueStore):
    """Compare by content, as a checksum does."""

    def get(self, key: str) -> Versioned | None:
        found = super().get(key)
        return None if found is None else Versioned(found.value, found.value)

    def put_if(self, key: str, value: bytes, version: object | None) -> bool:
        found = super().get(key)
        if (None if found is None else found.value) != version:
            return False
        return super().put_if(key, value, None if found is None else found.version)


class TestTakesTheValueForItsVersion(Broken):
    broken = TakesTheValueForItsVersion


class ComparesBeforeItLocks(DictKeyValueStore):
    """Look first, and write whatever has happened since."""

    def put_if(self, key: str, value: bytes, version: object | None) -> bool:
        found = self.get(key)
        if (None if found is None else found.version) != version:
            return False
        time.sleep(0)
        self.put(key, value)
        return True


class TestComparesBeforeItLocks(Broken):
    broken = ComparesBeforeItLocks


class SortsByUtf16(DictKeyValueStore):
    """Order keys as some languages order their strings."""

    def scan(self, prefix: str, *, after: str | None, limit: int) -> list[tuple[str, bytes]]:
        rows = super().scan(prefix, after=None, limit=10**6)
        rows.sort(key=lambda row: row[0].encode("utf-16-be"))
        return [row for row in rows if after is None or row[0] > after][:limit]


class TestSortsByUtf16(Broken):
    broken = SortsByUtf16


class BeginsAtTheKeyItself(DictKeyValueStore):
    """Look ``after`` up, and begin anew where it is not there."""

    def scan(self, prefix: str, *, after: str | None, limit: int) -> list[tuple[str, bytes]]:
        known = after if after is None or self.get(after) is not None else None
        return super().scan(prefix, after=known, limit=limit)


class TestBeginsAtTheKeyItself(Broken):
    broken = BeginsAtTheKeyItself


class TakesEmptyForAbsent(DictKeyValueStore):
    """Test a value for truth."""

    def get(self, key: str) -> Versioned | None:
        found = super().get(key)
        return found if found is not None and found.value else None


class TestTakesEmptyForAbsent(Broken):
    broken = TakesEmptyForAbsent


class WritesBeforeItRefuses(DictKeyValueStore):
    """Cut what is too long, and then complain."""

    def put(self, key: str, value: bytes) -> None:
        if self.largest is not None and len(value) > self.largest:
            super().put(key, value[: self.largest])
        super().put(key, value)


class TestWritesBeforeItRefuses(Broken):
    broken = WritesBeforeItRefuses
