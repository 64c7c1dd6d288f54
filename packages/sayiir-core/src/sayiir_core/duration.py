"""Durations: the friendly spellings, parsed once at the public edge."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Final

Duration = str | float | int | timedelta
"""What a caller may give: ``"30s"``, a number of seconds, or a ``timedelta``."""

MAX_DURATION: Final = timedelta(days=36_500)
"""A hundred years: longer ones leave the range in which instants can be computed."""

_SPELLING: Final = re.compile(
    r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|m|h|d)\s*", re.IGNORECASE | re.ASCII
)
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_EXPECTED: Final = 'use seconds as a number, a timedelta, or a text like "30s", "5m", "1.5h", "2d"'


def parse_duration(value: Duration) -> float:
    """Return a duration in seconds.

    Takes a number of seconds, a ``timedelta``, or a decimal number with one of the units ms, s,
    m, h, d in any case. Raises ``ValueError`` for anything else, also for what is negative, not
    finite, or longer than ``MAX_DURATION``.
    """
    seconds = _seconds(value)
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"duration {value!r} must be finite and not negative; {_EXPECTED}")
    if seconds > MAX_DURATION.total_seconds():
        raise ValueError(f"duration {value!r} is longer than {MAX_DURATION.days} days")
    return seconds


def to_timedelta(value: Duration) -> timedelta:
    """Return a duration as a ``timedelta``, to the microsecond; raises as ``parse_duration``."""
    if isinstance(value, timedelta):
        parse_duration(value)
        return value
    return timedelta(seconds=parse_duration(value))


def _seconds(value: object) -> float:
    match value:
        case bool():
            raise ValueError(f"duration {value!r} is not a length of time; {_EXPECTED}")
        case int() | float():
            return _finite(value)
        case timedelta():
            return value.total_seconds()
        case str():
            return _spelled(value)
        case _:
            raise ValueError(f"duration {value!r} is not a length of time; {_EXPECTED}")


def _finite(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _spelled(text: str) -> float:
    match = _SPELLING.fullmatch(text)
    if match is None:
        raise ValueError(f"duration {text!r} cannot be read; {_EXPECTED}")
    amount, unit = match.groups()
    return float(amount) * _SECONDS[unit.lower()]
