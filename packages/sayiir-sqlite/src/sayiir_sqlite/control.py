"""Requests from outside: the core decides on the whole head, the difference is written."""

from __future__ import annotations

from collections.abc import Callable

from sayiir_core.ids import InstanceId
from sayiir_core.snapshot import control
from sayiir_core.snapshot.head import Cursor, Head
from sayiir_sqlite.clock import StoreClock
from sayiir_sqlite.database import Database
from sayiir_sqlite.heads import at_rest, load_head, update_cursors, update_header


class SQLiteControl:
    """Cancel, pause, unpause and retry instances."""

    __slots__ = ("_clock", "_database")

    def __init__(self, database: Database, clock: StoreClock) -> None:
        self._database = database
        self._clock = clock

    def cancel(self, instance_id: InstanceId, *, reason: str | None, by: str | None) -> Head:
        """Cancel for good."""
        return self._change(
            instance_id,
            lambda head: control.cancel(head, reason=reason, by=by, now=self._clock.now()),
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

    def _change(self, instance_id: InstanceId, decide: Callable[[Head], list[Cursor]]) -> Head:
        with self._database.writing() as handle:
            stored = load_head(handle, instance_id)
            changed = decide(stored.head)
            update_cursors(handle, stored, changed)
            update_header(handle, stored)
            self._database.hint(at_rest(stored.head))
            return stored.head
