"""The port that tells the time to stores without a clock of their own."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tell the time."""

    def now(self) -> datetime:
        """Return an aware instant in UTC; it never goes back."""
        ...
