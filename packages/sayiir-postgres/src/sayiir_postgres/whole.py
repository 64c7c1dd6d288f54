"""Lock an instance with every cursor of its run."""

from __future__ import annotations

from sayiir_core.ids import InstanceId
from sayiir_postgres.heads import LockedRun, add_known_cursors, locked_instances
from sayiir_postgres.transaction import Transaction


def lock_whole(tx: Transaction, instance_id: InstanceId) -> LockedRun | None:
    """Return the whole head under its locks, None if the instance does not exist."""
    parameters = {"instance_ids": [instance_id]}
    instances = tx.send("lock_instances", parameters)
    # A later statement: it sees every cursor that was there when the instance was locked.
    cursors = tx.send("lock_whole", parameters)
    runs = locked_instances(instances.rows())
    add_known_cursors(runs, cursors.rows())
    return next(iter(runs.values()), None)
