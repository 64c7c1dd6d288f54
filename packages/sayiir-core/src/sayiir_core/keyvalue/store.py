"""What the helper needs of a key-value store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Versioned:
    """A value with its version, which is opaque and only ever handed back."""

    value: bytes
    version: object


class KeyValueStore(Protocol):
    """Keep bytes by key.

    Every call is atomic, durable when it returns, and sees all that earlier calls have written,
    by whatever process. Calls come from several threads at once. A call whose outcome is unknown
    raises ``BackendError`` with ``transient=True``. A write of a value that the store can never
    hold changes nothing and raises ``RefusedRowError``.
    """

    def get(self, key: str) -> Versioned | None:
        """Return the value, None if there is none."""
        ...

    def put(self, key: str, value: bytes) -> None:
        """Write the value, whatever was there."""
        ...

    def put_if(self, key: str, value: bytes, version: object | None) -> bool:
        """Write the value only if the version is still this one; None: only if there is no value.

        Returns whether it was written. A version never comes back, not even with the same value.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove the value; repeatable."""
        ...

    def scan(self, prefix: str, *, after: str | None, limit: int) -> list[tuple[str, bytes]]:
        """Return up to ``limit`` keys with this prefix and their values, in ascending order.

        Keys compare as their UTF-8 bytes do. ``after`` leaves out all keys up to that one, which
        itself need not exist.
        """
        ...
