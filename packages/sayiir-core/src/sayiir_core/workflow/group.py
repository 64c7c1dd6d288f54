"""Groups: the canonical form of a tag set, which decides the lane of a task."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_ESCAPED: Final = re.compile(r"([\\,])")
_SPLIT: Final = re.compile(r"((?:[^\\,]|\\.)*)(?:,|$)", re.DOTALL)
_UNESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


def group_of(tags: Iterable[str]) -> str:
    """Return the tags sorted, once each, joined by commas; a comma inside a tag is escaped."""
    return ",".join(_ESCAPED.sub(r"\\\1", tag) for tag in sorted(set(tags)))


def tags_in(group: str) -> frozenset[str]:
    """Invert ``group_of``; the empty group has no tags."""
    if not group:
        return frozenset()
    if "\\" not in group:
        return frozenset(group.split(","))
    parts = _SPLIT.findall(group)
    # The pattern also matches the nothing behind the last tag.
    return frozenset(_UNESCAPED.sub(r"\1", part) for part in parts[:-1])
