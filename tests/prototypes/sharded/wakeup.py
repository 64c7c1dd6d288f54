"""Hints of several stores as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sayiir_core.ports.wakeup import HintKind, Subscription, Wakeup


class ShardedWakeup:
    """Hint whenever one of the stores does."""

    def __init__(self, ports: Sequence[Wakeup]) -> None:
        self._ports = ports

    def subscribe(self, kind: HintKind, hint: Callable[[], None]) -> ShardedSubscription:
        """Subscribe to every store."""
        return ShardedSubscription([port.subscribe(kind, hint) for port in self._ports])


class ShardedSubscription:
    """One listener to several stores."""

    def __init__(self, parts: Sequence[Subscription]) -> None:
        self._parts = parts

    @property
    def trouble(self) -> str | None:
        """Return the first trouble there is: while one store's hints are missing, look more often."""
        return next((part.trouble for part in self._parts if part.trouble is not None), None)

    def close(self) -> None:
        """Stop listening to every store."""
        for part in self._parts:
            part.close()
