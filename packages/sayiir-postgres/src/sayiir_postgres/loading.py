"""Load heads, the header and the cursors of each as they were at one instant."""

from __future__ import annotations

from collections.abc import Sequence

from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.head import Head
from sayiir_postgres.connections import Connection
from sayiir_postgres.database import Database
from sayiir_postgres.heads import add_known_cursors, locked_instances


def load_heads(
    database: Database, connection: Connection, instance_ids: Sequence[InstanceId]
) -> list[Head]:
    """Return the heads of those instances that exist; one round trip, no lock."""
    parameters = {"instance_ids": list(instance_ids)}
    with database.transaction(connection, "read") as tx:
        headers = tx.send("load_headers", parameters)
        cursors = tx.send("load_cursors", parameters)
    runs = locked_instances(headers.rows())
    add_known_cursors(runs, cursors.rows())
    return [run.head for run in runs.values()]
