"""Remove runs with all that is theirs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

from sayiir_core.ids import InstanceId, RunId
from sayiir_core.snapshot.head import InstanceState
from sayiir_postgres.connections import Connection
from sayiir_postgres.database import Database
from sayiir_postgres.heads import LockedRun, add_known_cursors, locked_instances
from sayiir_postgres.transaction import Transaction

_AT_ONCE: Final = 50
_FINAL: Final = frozenset({InstanceState.COMPLETED, InstanceState.FAILED, InstanceState.CANCELLED})


def remove_rows(tx: Transaction, runs: Sequence[RunId], instance_ids: Sequence[InstanceId]) -> None:
    """Remove the rows of runs, and every signal of their ids.

    The caller holds the locks of the inboxes, instances and cursors: so no late commit is under
    way, and what one has written is seen here.
    """
    for name in ("delete_run_steps", "delete_run_scopes", "delete_run_cursors"):
        tx.send(name, {"runs": list(runs)})
    tx.send("delete_signals", {"instance_ids": list(instance_ids)})


def prune(database: Database, *, finished_before: datetime, limit: int) -> int:
    """Remove up to ``limit`` quiescent final runs that ended before an instant."""
    removed = 0
    while removed < limit:
        wanted = min(limit - removed, _AT_ONCE)
        rows = database.call("prunable_instances", finished_before=finished_before, limit=wanted)
        ids = sorted(InstanceId(row[0]) for row in rows)
        if not ids:
            break
        gone = database.run(partial(_prune, database, ids, finished_before))
        removed += gone
        if gone == 0:
            break
    return removed


def _prune(
    database: Database,
    instance_ids: list[InstanceId],
    finished_before: datetime,
    connection: Connection,
) -> int:
    with database.transaction(connection) as tx:
        parameters = {"instance_ids": instance_ids}
        tx.send("lock_inboxes", parameters)
        instances = tx.send("lock_instances", parameters)
        cursors = tx.send("lock_whole", parameters)
        runs = locked_instances(instances.rows())
        add_known_cursors(runs, cursors.rows())
        ended = [run for run in runs.values() if _is_prunable(run, finished_before)]
        ids = [run.instance_id for run in ended]
        remove_rows(tx, [run.run_id for run in ended], ids)
        tx.send("delete_inboxes", {"instance_ids": ids})
        tx.send("delete_instances", {"instance_ids": ids})
    return len(ended)


def _is_prunable(run: LockedRun, finished_before: datetime) -> bool:
    header = run.head.header
    return (
        header.state in _FINAL
        and header.finished_at is not None
        and header.finished_at < finished_before
        and not run.head.executing
    )
