"""Write the difference between what was read and what the core made of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sayiir_core.ids import InstanceId, RunId, pack_index, sanitize_text
from sayiir_core.snapshot.head import Cursor, CursorKey, Header, InstanceState
from sayiir_core.snapshot.reference import encode_ref
from sayiir_core.snapshot.step import ErrorRecord, ScopeRow, StepRow
from sayiir_postgres.heads import Changes, LockedRun
from sayiir_postgres.lanes import Lanes
from sayiir_postgres.rows import encode_deaths
from sayiir_postgres.transaction import Transaction

Placed = tuple[LockedRun, Cursor]

ALWAYS: Final = datetime.min.replace(tzinfo=UTC)
_GOING: Final = frozenset({InstanceState.RUNNING, InstanceState.PAUSED})


def write(tx: Transaction, changes: Changes, lanes: Lanes) -> None:
    """Send every write of a transaction, without waiting for any."""
    added: list[Placed] = []
    updated: list[Placed] = []
    removed: list[tuple[RunId, CursorKey]] = []
    for run in changes.runs:
        for key in run.touched:
            cursor = run.head.cursors.get(key)
            if cursor is not None:
                (updated if key in run.stored else added).append((run, cursor))
            elif key in run.stored:
                removed.append((run.run_id, key))
    _note_concerned(tx, changes, [*added, *updated])
    _ensure_lanes(tx, [*added, *updated], lanes)
    _write_rows(tx, changes)
    if removed:
        tx.send("delete_cursors", key_columns(removed))
    if updated:
        tx.send("update_cursors", cursor_columns(updated))
    if added:
        tx.send("insert_cursors", cursor_columns(added))
    headers = [run.head.header for run in changes.runs if run.header_changed]
    if headers:
        tx.send("update_instances", header_columns(headers))


def _write_rows(tx: Transaction, changes: Changes) -> None:
    if changes.steps:
        tx.send("insert_steps", step_columns(changes.steps))
    if changes.scopes:
        tx.send("insert_scopes", scope_columns(changes.scopes))
    if changes.consumed:
        tx.send("consume_signals", _consumed_columns(changes.consumed))


def _note_concerned(tx: Transaction, changes: Changes, placed: Sequence[Placed]) -> None:
    """Note what pools may claim, and what may have brought a run to its end.

    A body of a stopped run that comes to rest changes its cursor only, and that one is held.
    """
    if any(run.header_changed and run.head.header.state not in _GOING for run in changes.runs):
        tx.note_end()
    for run, cursor in placed:
        if cursor.held and cursor.session is None:
            tx.note_end()
        elif is_queued(run, cursor) and cursor.available_at is not None:
            tx.note_claimable(cursor.available_at)


def _ensure_lanes(tx: Transaction, placed: Sequence[Placed], lanes: Lanes) -> None:
    queued = {(run.definition, cursor.group) for run, cursor in placed if is_queued(run, cursor)}
    lanes.ensure(tx, queued)


def is_queued(run: LockedRun, cursor: Cursor) -> bool:
    """Tell whether pools may claim a cursor once it is due."""
    return (
        cursor.session is None
        and not cursor.held
        and cursor.available_at is not None
        and run.head.header.owner is None
    )


def cursor_columns(placed: Sequence[Placed]) -> dict[str, list[Any]]:
    """Return the columns of cursors, for ``insert_cursors`` and ``update_cursors``."""
    cursors = [cursor for _, cursor in placed]
    return {
        "run": [run.run_id for run, _ in placed],
        "definition": [run.definition for run, _ in placed],
        "owner": [run.head.header.owner for run, _ in placed],
        "queued": [is_queued(run, cursor) for run, cursor in placed],
        "scope": [c.scope for c in cursors],
        "idx": [pack_index(c.index) for c in cursors],
        "session": [c.session for c in cursors],
        "claim_no": [c.claim_no for c in cursors],
        "fence": [c.fence for c in cursors],
        "held": [c.held for c in cursors],
        "state": [c.state.value for c in cursors],
        "pending": [c.pending for c in cursors],
        "tags": [c.group for c in cursors],
        "priority": [c.priority for c in cursors],
        "signal": [c.signal for c in cursors],
        "delivered": [c.delivered for c in cursors],
        "seq": [c.seq for c in cursors],
        "node": [c.node for c in cursors],
        "turns": [pack_index(c.turns) for c in cursors],
        "input": [encode_ref(c.input) for c in cursors],
        "available_at": [c.available_at for c in cursors],
        "attempt": [c.attempt for c in cursors],
        "fresh_from": [c.fresh_from for c in cursors],
        "deaths": [encode_deaths(c.deaths) for c in cursors],
        "avoid": [c.avoid for c in cursors],
        "avoid_until": [c.avoid_until for c in cursors],
        "started_at": [c.started_at for c in cursors],
    }


def key_columns(keys: Sequence[tuple[RunId, CursorKey]]) -> dict[str, list[Any]]:
    """Return the columns of keys, for every statement that names cursors."""
    return {
        "runs": [run for run, _ in keys],
        "scopes": [key.scope for _, key in keys],
        "idxs": [pack_index(key.turns) for _, key in keys],
    }


def step_columns(steps: Sequence[tuple[RunId, StepRow]]) -> dict[str, list[Any]]:
    """Return the columns of steps, for ``insert_steps``."""
    records = [row.record for _, row in steps]
    return {
        "run": [run for run, _ in steps],
        "session": [row.session for _, row in steps],
        "fence": [row.fence for _, row in steps],
        "seq": [row.seq for _, row in steps],
        "node": [r.node for r in records],
        "turns": [pack_index(r.turns) for r in records],
        "attempt": [r.attempt for r in records],
        "status": [r.status.value for r in records],
        "output": [r.output for r in records],
        "source": [None if r.source is None else encode_ref(r.source) for r in records],
        "verdict": [None if r.verdict is None else r.verdict.value for r in records],
        "started_at": [r.started_at for r in records],
        "finished_at": [r.finished_at for r in records],
        **error_columns([r.error for r in records]),
    }


def scope_columns(scopes: Sequence[tuple[RunId, ScopeRow]]) -> dict[str, list[Any]]:
    """Return the columns of scopes; of two with one key the last one counts."""
    latest = {(run, row.scope, row.index): row for run, row in scopes}
    return {
        "run": [run for run, _, _ in latest],
        "scope": [row.scope for row in latest.values()],
        "idx": [pack_index(row.index) for row in latest.values()],
        "fence": [row.fence for row in latest.values()],
        "seq": [row.seq for row in latest.values()],
        "value": [encode_ref(row.value) for row in latest.values()],
    }


def header_columns(headers: Sequence[Header]) -> dict[str, list[Any]]:
    """Return the columns of headers that may change, for ``update_instances``."""
    return {
        "instance_id": [h.instance_id for h in headers],
        "run": [h.run_id for h in headers],
        "state": [h.state.value for h in headers],
        "owner": [h.owner for h in headers],
        "reason": [_clean(h.reason) for h in headers],
        "requested_by": [_clean(h.requested_by) for h in headers],
        "output": [None if h.output is None else encode_ref(h.output) for h in headers],
        "finished_at": [h.finished_at for h in headers],
        "ended_fence": [h.ended_by[0] if h.ended_by else None for h in headers],
        "ended_seq": [h.ended_by[1] if h.ended_by else None for h in headers],
        **error_columns([h.error for h in headers]),
    }


def error_columns(errors: Sequence[ErrorRecord | None]) -> dict[str, list[Any]]:
    """Return the four columns of errors, with texts that the server takes."""
    return {
        "error_path": [_clean(e.path) if e else None for e in errors],
        "error_type": [_clean(e.type) if e else None for e in errors],
        "error_message": [_clean(e.message) if e else None for e in errors],
        "error_traceback": [_clean(e.traceback) if e else None for e in errors],
    }


def _consumed_columns(
    consumed: Sequence[tuple[InstanceId, int, RunId]],
) -> dict[str, list[Any]]:
    return {
        "instance_ids": [instance_id for instance_id, _, _ in consumed],
        "seqs": [seq for _, seq, _ in consumed],
        "runs": [run for _, _, run in consumed],
    }


def _clean(text: str | None) -> str | None:
    return None if text is None else sanitize_text(text)
