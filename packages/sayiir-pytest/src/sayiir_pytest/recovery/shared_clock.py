"""A clock that stands still until a test moves it, in this process and in all that it forks."""

from __future__ import annotations

import mmap
import struct
from datetime import datetime, timedelta
from typing import Final

from sayiir_core.duration import Duration
from sayiir_pytest.clock import START, VirtualClock, forward

_FORMAT: Final = "<q"
_MICROSECOND: Final = timedelta(microseconds=1)


class SharedClock(VirtualClock):
    """Tell a time that lives in memory which forked processes share."""

    def __init__(self, start: datetime = START) -> None:
        super().__init__(start)
        self._start = start
        self._memory = mmap.mmap(-1, struct.calcsize(_FORMAT))

    def now(self) -> datetime:
        """Return the current instant, in UTC."""
        passed: int = struct.unpack(_FORMAT, self._memory[:])[0]
        return self._start + passed * _MICROSECOND

    def advance(self, by: Duration) -> datetime:
        """Move forward like ``VirtualClock``, in every process."""
        moved = self.now() + forward(by)
        self._memory[:] = struct.pack(_FORMAT, (moved - self._start) // _MICROSECOND)
        return moved

    def advance_to(self, instant: datetime) -> datetime:
        """Move forward to an instant; one that is past already changes nothing.

        Another process may have moved the clock since the caller looked.
        """
        return self.advance(max(instant - self.now(), timedelta(0)))
