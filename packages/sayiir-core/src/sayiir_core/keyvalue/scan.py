"""Scans of any length, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sayiir_core.keyvalue.store import KeyValueStore

_PAGE: Final = 200


def scan_all(
    store: KeyValueStore, prefix: str, *, after: str | None = None
) -> Iterator[tuple[str, bytes]]:
    """Yield every key with a prefix, in order; keys may be deleted meanwhile."""
    while True:
        page = store.scan(prefix, after=after, limit=_PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1][0]


def delete_all(store: KeyValueStore, prefix: str) -> None:
    """Delete every key with a prefix."""
    for key, _ in scan_all(store, prefix):
        store.delete(key)
