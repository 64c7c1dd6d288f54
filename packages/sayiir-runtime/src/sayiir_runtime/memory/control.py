"""Apply requests from outside, in memory."""

from __future__ import annotations

from collections.abc import Callable

from sayiir_core.ids import InstanceId
from sayiir_core.snapshot import control
from sayiir_core.snapshot.head import Cursor, Head
from sayiir_runtime.memory.row import copy_head
from sayiir_runtime.memory.store import Store


class MemoryControl:
    """The control port of the memory backend."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    def cancel(self, instance_id: InstanceId, *, reason: str | None, by: str | None) -> Head:
        """Cancel for good."""
        now = self._store.clock.now
        return self._change(
            instance_id, lambda head: control.cancel(head, reason=reason, by=by, now=now())
        )

    def pause(self, instance_id: InstanceId, *, reason: str | None, by: str | None) -> Head:
        """Hold everything until ``unpause``."""
        return self._change(instance_id, lambda head: control.pause(head, reason=reason, by=by))

    def unpause(self, instance_id: InstanceId) -> Head:
        """Release what a pause held."""
        return self._change(instance_id, control.unpause)

    def retry(self, instance_id: InstanceId) -> Head:
        """Revive a failed instance."""
        return self._change(instance_id, control.retry)

    def _change(self, instance_id: InstanceId, change: Callable[[Head], list[Cursor]]) -> Head:
        store = self._store
        with store.turn:
            run = store.run(instance_id)
            for cursor in change(run.head):
                store.refresh(run.tickets[cursor.key])
            store.note_end(run)
            return copy_head(run.head)
