"""What happened to an instance, one line per event, with virtual times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import overload


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event: when, at which node (empty for the whole instance), and what.

    ``after`` is the virtual time since the instance was created.
    """

    at: datetime
    after: timedelta
    path: str
    text: str

    def __str__(self) -> str:
        what = f"{self.path}: {self.text}" if self.path else self.text
        return f"{elapsed(self.after)}  {what}"


class History(Sequence[Event]):
    """The events of one instance, in order; as text, one line each."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = tuple(events)

    @overload
    def __getitem__(self, index: int) -> Event: ...

    @overload
    def __getitem__(self, index: slice) -> History: ...

    def __getitem__(self, index: int | slice) -> Event | History:
        if isinstance(index, slice):
            return History(self._events[index])
        return self._events[index]

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    @property
    def lines(self) -> list[str]:
        """Return each event as its line."""
        return [str(event) for event in self._events]

    def __str__(self) -> str:
        return "\n".join(self.lines)

    __repr__ = __str__


def elapsed(span: timedelta) -> str:
    """Return a length of virtual time as ``+3d 04:00:01.500``, the days only if there are any."""
    milliseconds = span // timedelta(milliseconds=1)
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"+{f'{days}d ' if days else ''}{hour:02}:{minute:02}:{second:02}.{thousandths:03}"


def spoken(span: timedelta) -> str:
    """Return a length of time in words, as ``2 d 12 h`` or ``1.5 s``."""
    if span < timedelta(seconds=1):
        return f"{span.total_seconds() * 1000:g} ms"
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        count, rest = divmod(span.total_seconds(), size)
        span = timedelta(seconds=rest)
        if count:
            parts.append(f"{count:g} {unit}")
    if span or not parts:
        parts.append(f"{span.total_seconds():g} s")
    return " ".join(parts)
