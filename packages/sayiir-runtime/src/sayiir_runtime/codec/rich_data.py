"""Data that rich codecs can store, of what pydantic dumps for Python.

A dump may hold objects that only their own class knows how to make: paths, addresses, members of
an Enum. They become text, or the value of the member, from which the annotation makes them again.
"""

from __future__ import annotations

import datetime as dt
import enum
from gc import get_referents, is_tracked
from typing import Any, Final
from uuid import UUID

from pydantic_core import to_jsonable_python

_CONTAINERS: Final = frozenset({dict, list, tuple, set, frozenset})
_KNOWN: Final = frozenset({*_CONTAINERS, UUID, dt.timezone})
_MAX_DEPTH: Final = 254


def rich_data(dumped: Any) -> Any:
    """Return the dump itself if it is rich data, or else a copy that is."""
    # Only what the collector tracks can be anything but a number, text, date or the like.
    level: list[Any] = [dumped] if is_tracked(dumped) else []
    while level:
        if not _KNOWN.issuperset(map(type, level)):
            return _converted(dumped, 0)
        level = [
            each
            for each in get_referents(*(each for each in level if type(each) in _CONTAINERS))
            if is_tracked(each)
        ]
        if len(level) > 1_000_000:
            return _converted(dumped, 0)
    return dumped if type(dumped) in _CONTAINERS else _converted(dumped, 0)


def _converted(value: Any, depth: int) -> Any:
    kind: type[Any] = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind in _CONTAINERS:
        if depth > _MAX_DEPTH:
            return value
        if kind is dict:
            return {
                _converted(key, depth + 1): _converted(item, depth + 1)
                for key, item in value.items()
            }
        return kind(_converted(item, depth + 1) for item in value)
    if isinstance(value, enum.Enum):
        return _converted(value.value, depth + 1)
    if kind.__module__ in _STANDARD:
        return value
    if issubclass(kind, tuple):
        return tuple(_converted(item, depth + 1) for item in value)
    return to_jsonable_python(value)


_STANDARD: Final = frozenset({"builtins", "datetime", "decimal", "uuid"})
"""The modules of the scalars that rich codecs store, and of what they refuse with a good text."""
