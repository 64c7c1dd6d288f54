"""Removal: everything that belongs to a run, or to an inbox."""

from __future__ import annotations

import json
from typing import Final, NamedTuple

from sayiir_core.ids import InstanceId
from sayiir_sqlite.connection import Handle
from sayiir_sqlite.rows import step_range
from sayiir_sqlite.statement import statement

_RUN: Final = statement("run_to_remove")
_STEPS: Final = statement("run_delete_steps")
_LABEL: Final = statement("label_delete")
_ROWS: Final = (
    statement("run_delete_cursors"),
    statement("run_delete_scopes"),
    statement("run_delete_input"),
    statement("run_delete"),
)
_SIGNALS: Final = statement("signals_delete")
_INBOX: Final = statement("inbox_delete")


class RunRow(NamedTuple):
    """What is needed to remove a run; ``labels`` is JSON text."""

    run: int
    instance_id: InstanceId
    labels: str | None


def find_run(handle: Handle, instance_id: InstanceId) -> RunRow | None:
    """Return the run of an instance, None if there is none."""
    row = handle.one(_RUN, (instance_id,))
    return None if row is None else RunRow(*row)


def remove_run(handle: Handle, run: RunRow) -> None:
    """Remove a run with its steps, scopes, cursors, labels and input, but not its signals."""
    labels: dict[str, str] = json.loads(run.labels) if run.labels else {}
    for key, value in labels.items():
        handle.execute(_LABEL, (key, value, run.run))
    handle.execute(_STEPS, step_range(run.run))
    for sql in _ROWS:
        handle.execute(sql, (run.run,))


def remove_signals(handle: Handle, instance_id: InstanceId) -> None:
    """Remove the signals of an inbox, which goes on counting."""
    handle.execute(_SIGNALS, (instance_id,))


def remove_inbox(handle: Handle, instance_id: InstanceId) -> None:
    """Remove an inbox with its signals."""
    handle.execute(_SIGNALS, (instance_id,))
    handle.execute(_INBOX, (instance_id,))
