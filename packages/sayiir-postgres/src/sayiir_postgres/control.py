"""Requests from outside, effective at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sayiir_core.errors import InstanceNotFoundError
from sayiir_core.ids import InstanceId
from sayiir_core.snapshot import control
from sayiir_core.snapshot.head import Cursor, Head
from sayiir_postgres.connections import Connection
from sayiir_postgres.database import Database
from sayiir_postgres.heads import Changes
from sayiir_postgres.lanes import Lanes
from sayiir_postgres.whole import lock_whole
from sayiir_postgres.writes import write

Change = Callable[[Head, datetime], list[Cursor]]


class PostgresControl:
    """The control port."""

    def __init__(self, database: Database, lanes: Lanes) -> None:
        self._database = database
        self._lanes = lanes

    def cancel(self, instance_id: InstanceId, *, reason: str | None, by: str | None) -> Head:
        """Cancel for good."""
        return self._change(
            instance_id,
            lambda head, now: control.cancel(head, reason=reason, by=by, now=now),
            repeatable=True,
        )

    def pause(self, instance_id: InstanceId, *, reason: str | None, by: str | None) -> Head:
        """Hold everything until ``unpause``."""
        return self._change(
            instance_id,
            lambda head, _: control.pause(head, reason=reason, by=by),
            repeatable=True,
        )

    def unpause(self, instance_id: InstanceId) -> Head:
        """Release what a pause held."""
        return self._change(instance_id, lambda head, _: control.unpause(head), repeatable=False)

    def retry(self, instance_id: InstanceId) -> Head:
        """Revive a failed instance."""
        return self._change(instance_id, lambda head, _: control.retry(head), repeatable=False)

    def _change(self, instance_id: InstanceId, change: Change, *, repeatable: bool) -> Head:
        def work(connection: Connection) -> Head:
            with self._database.transaction(connection) as tx:
                run = lock_whole(tx, instance_id)
                if run is None:
                    raise InstanceNotFoundError(instance_id)
                now = self._database.moment(tx)()
                run.touch(change(run.head, now))
                run.header_changed = True
                write(tx, Changes(runs=[run]), self._lanes)
            return run.head

        return self._database.run(work, repeatable=repeatable)
