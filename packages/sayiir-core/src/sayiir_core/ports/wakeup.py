"""The optional port that spares a waiting driver its polling."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class SupportsWakeup(Protocol):
    """Wait for a hint that work may have become claimable; hints may be lost or superfluous."""

    def wait(self, timeout_seconds: float) -> bool:
        """Return True on a hint, False after the timeout."""
        ...
