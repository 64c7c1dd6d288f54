"""The port through which signals reach instances."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.head import PendingSignal


class SignalStore(Protocol):
    """Send signals; each instance id has an inbox, also before its instance exists."""

    def send(self, instance_id: InstanceId, name: str, payload: bytes) -> int:
        """Deliver to a cursor that waits for the name in time, or keep for the next one.

        First in, first out per name. Returns the signal's number in the inbox. Never runs code,
        and never fails because of the instance's state.
        """
        ...

    def pending(self, instance_id: InstanceId) -> list[PendingSignal]:
        """Return the signals that nothing has consumed, oldest first."""
        ...

    def expire(self, *, received_before: datetime, limit: int) -> int:
        """Remove up to ``limit`` pending signals received before an instant; returns how many.

        Only those whose instance does not exist or has ended for good: nothing will consume them.
        """
        ...
