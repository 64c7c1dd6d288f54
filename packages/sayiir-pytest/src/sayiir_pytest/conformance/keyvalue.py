"""What a key-value store must do before a backend can be made of it.

Its five calls are quick to test, and a mistake in one of them shows elsewhere as a lost update of
some port. So whoever makes a backend by ``KeyValueBackend`` begins here.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import pytest

from sayiir_core.errors import RefusedRowError
from sayiir_core.keyvalue import KeyValueStore
from sayiir_pytest.conformance.threads import together

_KEYS: Final = ["k/", "k/%", "k/.", "k/A", "k/_", "k/a", "k/a b", "k/~", "k/é", "k/￿", "k/𝄞"]
"""In the order of their UTF-8 bytes, which is not that of UTF-16 nor that of any language."""


class KeyValueStoreConformance:
    """Test a ``KeyValueStore``. Override ``make_store``, and ``location`` for one with a place.

    ``lasting``: a store that is made again on the same location has what the first one wrote.
    ``largest`` is the length in bytes of the longest value that it takes, None if there is none
    worth testing. ``threads`` and ``rounds`` are for the races.
    """

    lasting: bool = True
    largest: int | None = None
    threads: int = 6
    rounds: int = 25

    @pytest.fixture
    def location(self) -> Any:
        """Return an empty place for one test, whatever that is to this store."""
        return None

    def make_store(self, location: Any) -> KeyValueStore:
        """Return a store, empty if the location is new."""
        raise NotImplementedError(f"{type(self).__name__} must define make_store(self, location)")

    @pytest.fixture
    def store(self, location: Any) -> KeyValueStore:
        """Return the store under test."""
        return self.make_store(location)

    def test_a_value_is_read_as_it_was_written(self, store: KeyValueStore) -> None:
        """Keep every byte, an empty value too, and overwrite."""
        for value in (bytes(range(256)), b"", b"again"):
            store.put("key", value)

            assert value == _value(store, "key")

    def test_an_absent_key_has_no_value(self, store: KeyValueStore) -> None:
        """Answer None before the first write and after a removal, which is repeatable."""
        before = store.get("key")
        store.put("key", b"")
        for _ in range(2):
            store.delete("key")

        assert before is None
        assert store.get("key") is None
        assert [] == store.scan("", after=None, limit=10)

    def test_keys_that_look_alike_are_different(self, store: KeyValueStore) -> None:
        """Tell case, accents and signs apart that mean something elsewhere."""
        for key in _KEYS:
            store.put(key, key.encode())

        assert {key: key.encode() for key in _KEYS} == {key: _value(store, key) for key in _KEYS}

    def test_a_conditional_write_needs_the_current_version(self, store: KeyValueStore) -> None:
        """Write over the version that was read, and change nothing over an older one."""
        store.put("key", b"1")
        first = _version(store, "key")

        assert store.put_if("key", b"2", first)
        assert not store.put_if("key", b"3", first)
        assert b"2" == _value(store, "key")

    def test_a_conditional_write_of_a_new_key_needs_its_absence(self, store: KeyValueStore) -> None:
        """Create once, and again after a removal."""
        for _ in range(2):
            assert store.put_if("key", b"1", None)
            assert not store.put_if("key", b"2", None)
            assert b"1" == _value(store, "key")
            store.delete("key")

    def test_a_conditional_write_of_an_absent_key_fails_under_any_version(
        self, store: KeyValueStore
    ) -> None:
        """Bring nothing back that was removed meanwhile."""
        store.put("key", b"1")
        version = _version(store, "key")
        store.delete("key")

        assert not store.put_if("key", b"2", version)
        assert store.get("key") is None

    @pytest.mark.parametrize("removed", [False, True])
    def test_a_version_never_comes_back(self, store: KeyValueStore, removed: bool) -> None:
        """Give even the same value, written again, a version of its own."""
        store.put("key", b"same")
        version = _version(store, "key")
        if removed:
            store.delete("key")
        store.put("key", b"same")

        assert not store.put_if("key", b"other", version)
        assert b"same" == _value(store, "key")

    def test_a_scan_goes_by_the_bytes_of_the_keys(self, store: KeyValueStore) -> None:
        """Give keys and values in the order of UTF-8, and nothing outside of the prefix."""
        for key in [*reversed(_KEYS), "j", "k", "k0", "l"]:
            store.put(key, key.encode())

        assert [(key, key.encode()) for key in _KEYS] == store.scan("k/", after=None, limit=100)
        assert [("k/a", b"k/a"), ("k/a b", b"k/a b")] == store.scan("k/a", after=None, limit=100)

    def test_a_scan_begins_behind_any_key_and_ends_at_its_limit(self, store: KeyValueStore) -> None:
        """Leave out what is up to ``after``, whether that exists, is before the prefix or behind it."""
        for number in range(5):
            store.put(f"k/{number}", b"")

        def keys(after: str | None, limit: int) -> list[str]:
            return [key[2:] for key, _ in store.scan("k/", after=after, limit=limit)]

        assert ["0", "1"] == keys(None, 2)
        assert ["2", "3"] == keys("k/1", 2)
        assert ["2", "3", "4"] == keys("k/1~", 9)
        assert ["0"] == keys("a", 1)
        assert [] == keys("z", 9)

    def test_what_was_written_is_there_for_others(self, location: Any) -> None:
        """Show a second store on the same location each write as soon as it is answered."""
        if not self.lasting:
            pytest.skip("the store does not declare that it lasts")
        first, second = self.make_store(location), self.make_store(location)
        first.put("key", b"1")

        assert b"1" == _value(second, "key")
        assert second.put_if("key", b"2", _version(second, "key"))
        assert b"2" == _value(first, "key")
        first.delete("key")
        assert second.get("key") is None
        assert [] == self.make_store(location).scan("", after=None, limit=9)

    def test_of_conditional_writes_at_once_exactly_one_is_written(self, location: Any) -> None:
        """Count by compare-and-set with many threads, through two stores if it lasts."""
        first = self.make_store(location)
        stores = [first, self.make_store(location) if self.lasting else first]
        first.put("count", b"0")

        def count(store: KeyValueStore) -> None:
            for _ in range(self.rounds):
                _increment(store)

        together([partial(count, stores[number % 2]) for number in range(self.threads)])

        assert str(self.threads * self.rounds).encode() == _value(first, "count")

    @pytest.mark.parametrize("call", ["put", "put_if"])
    def test_a_value_that_is_too_long_is_refused(self, store: KeyValueStore, call: str) -> None:
        """Raise ``RefusedRowError``, change nothing, and take the next value."""
        if self.largest is None:
            pytest.skip("the store has no limit worth testing")
        store.put("key", b"1")
        longest, version = bytes(self.largest), _version(store, "key")

        with pytest.raises(RefusedRowError):
            _write(store, call, longest + b"1", version)

        assert b"1" == _value(store, "key")
        _write(store, call, longest, version)
        assert longest == _value(store, "key")


def _value(store: KeyValueStore, key: str) -> bytes | None:
    found = store.get(key)
    return None if found is None else found.value


def _version(store: KeyValueStore, key: str) -> object:
    found = store.get(key)
    assert found is not None, f"{key!r} has no value"
    return found.version


def _increment(store: KeyValueStore) -> None:
    while True:
        found = store.get("count")
        assert found is not None, "a value that nobody removes has vanished"
        if store.put_if("count", str(int(found.value) + 1).encode(), found.version):
            return


def _write(store: KeyValueStore, call: str, value: bytes, version: object) -> None:
    if call == "put":
        store.put("key", value)
    else:
        assert store.put_if("key", value, version)
