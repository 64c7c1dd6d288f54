"""What becomes of signals that nothing consumes."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sayiir_core.snapshot.head import InstanceState, PendingSignal


def expire(
    inbox: list[PendingSignal],
    state: InstanceState | None,
    *,
    received_before: datetime,
    limit: int,
) -> list[PendingSignal]:
    """Remove up to ``limit`` signals that nothing will consume, oldest first; returns which.

    ``state`` is that of the inbox's instance, None if there is none. A failed instance keeps its
    signals, because it can be retried.
    """
    if state not in _OVER:
        return []
    old = [signal for signal in inbox if signal.received_at < received_before]
    expired = old[: max(limit, 0)]
    gone = {signal.seq for signal in expired}
    inbox[:] = [signal for signal in inbox if signal.seq not in gone]
    return expired


_OVER: Final = frozenset({None, InstanceState.COMPLETED, InstanceState.CANCELLED})
