"""The port for requests from outside, effective at once on queued and parked work."""

from __future__ import annotations

from typing import Protocol

from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.head import Head


class ControlStore(Protocol):
    """Cancel, pause, unpause, retry as ``sayiir_core.snapshot.control`` says, atomically.

    Each returns the head as it is afterwards and raises ``InstanceNotFoundError``, or
    ``InstanceStateError`` where the state forbids it.
    """

    def cancel(self, instance_id: InstanceId, *, reason: str | None, by: str | None) -> Head:
        """Cancel for good."""
        ...

    def pause(self, instance_id: InstanceId, *, reason: str | None, by: str | None) -> Head:
        """Hold everything until ``unpause``."""
        ...

    def unpause(self, instance_id: InstanceId) -> Head:
        """Release what a pause held."""
        ...

    def retry(self, instance_id: InstanceId) -> Head:
        """Revive a failed instance."""
        ...
