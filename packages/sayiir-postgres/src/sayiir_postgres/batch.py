"""The slow path of a commit: one transaction for a batch of any checkpoints.

How this works: everything that any checkpoint of the batch decides on is locked first, in the
order of the locking rule; signals, marks and the clock are read in later statements. Then the
core applies the checkpoints one by one, in order, to heads in memory, and the difference is
written. So a batch takes two round trips, or three if a guarded cursor is gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sayiir_core.ids import InstanceId, RunId, SessionId, WorkflowId, pack_index
from sayiir_core.snapshot.answer import REPLAYED, Answer, Lost, LostReason
from sayiir_core.snapshot.apply import Needs, apply, check_guard, needs
from sayiir_core.snapshot.effect import Checkpoint
from sayiir_core.snapshot.head import CursorKey, Head, Header, PendingSignal
from sayiir_core.workflow.definition import DefinitionIdentity
from sayiir_postgres.connections import Connection
from sayiir_postgres.database import Database
from sayiir_postgres.heads import Changes, LockedRun, add_cursors, locked_instances
from sayiir_postgres.lanes import Lanes
from sayiir_postgres.transaction import Pending, Transaction
from sayiir_postgres.writes import key_columns, write


@dataclass(slots=True)
class _Locked:
    live: set[SessionId]
    runs: dict[RunId, LockedRun]
    now: datetime


def commit_batch(
    database: Database, connection: Connection, lanes: Lanes, batch: Sequence[Checkpoint]
) -> list[Answer]:
    """Commit checkpoints in one transaction; one answer each, in order."""
    with database.transaction(connection) as tx:
        locked = _lock(database, tx, batch)
        _read_marks(tx, locked, batch)
        changes = Changes(runs=list(locked.runs.values()))
        answers = [_answer(locked, checkpoint, changes) for checkpoint in batch]
        write(tx, changes, lanes)
    return answers


def _answer(locked: _Locked, checkpoint: Checkpoint, changes: Changes) -> Answer:
    run = locked.runs[checkpoint.lease.run_id]
    if checkpoint.lease.session not in locked.live:
        replayed = check_guard(run.head, checkpoint) == REPLAYED
        return REPLAYED if replayed else Lost(LostReason.SESSION_ENDED)
    applied = apply(run.head, checkpoint, locked.now)
    changes.take(run, applied)
    return applied.answer


def _lock(database: Database, tx: Transaction, batch: Sequence[Checkpoint]) -> _Locked:
    wants = [needs(checkpoint) for checkpoint in batch]
    sessions = tx.send("lock_sessions", {"sessions": sorted({c.lease.session for c in batch})})
    inboxes = {
        c.lease.instance_id for c, want in zip(batch, wants, strict=True) if want.signal is not None
    }
    if inboxes:
        tx.send("lock_inboxes", {"instance_ids": sorted(inboxes)})
    instances = _lock_instances(tx, batch, wants)
    cursors = tx.send("lock_cursors", _wanted_cursors(batch, wants))
    signals = _read_signals(tx, batch, wants)
    moment = database.moment(tx)
    runs = locked_instances(instances.rows() if instances else ())
    add_cursors(runs, cursors.rows())
    _fill_inboxes(runs, signals)
    return _Locked({SessionId(row[0]) for row in sessions.rows()}, runs, moment())


def _lock_instances(
    tx: Transaction, batch: Sequence[Checkpoint], wants: Sequence[Needs]
) -> Pending | None:
    ids = {c.lease.instance_id for c, want in zip(batch, wants, strict=True) if want.instance}
    return tx.send("lock_instances", {"instance_ids": sorted(ids)}) if ids else None


def _wanted_cursors(batch: Sequence[Checkpoint], wants: Sequence[Needs]) -> dict[str, list[object]]:
    whole: set[RunId] = set()
    keys: set[tuple[RunId, CursorKey]] = set()
    for checkpoint, want in zip(batch, wants, strict=True):
        run_id = checkpoint.lease.run_id
        keys.add((run_id, checkpoint.lease.key))
        if want.every_cursor:
            whole.add(run_id)
        if want.parent is not None:
            keys.add((run_id, want.parent))
    return {"whole": list(whole), **key_columns(sorted(keys))}


def _read_signals(
    tx: Transaction, batch: Sequence[Checkpoint], wants: Sequence[Needs]
) -> Pending | None:
    """Ask for as many pending signals per name as the batch could consume."""
    waits = Counter(
        (c.lease.instance_id, want.signal)
        for c, want in zip(batch, wants, strict=True)
        if want.signal is not None
    )
    if not waits:
        return None
    parameters = {
        "instance_ids": [instance_id for instance_id, _ in waits],
        "names": [name for _, name in waits],
        "counts": list(waits.values()),
    }
    return tx.send("first_pending", parameters)


def _fill_inboxes(runs: dict[RunId, LockedRun], signals: Pending | None) -> None:
    by_instance = {run.instance_id: run for run in runs.values()}
    for instance_id, seq, name, received_at in signals.rows() if signals else ():
        run = by_instance.get(InstanceId(instance_id))
        if run is not None:
            run.head.inbox.append(PendingSignal(seq=seq, name=name, received_at=received_at))


def _read_marks(tx: Transaction, locked: _Locked, batch: Sequence[Checkpoint]) -> None:
    """For guards whose cursor is gone, read what tells a repetition from a loss."""
    missing = [c for c in batch if not _has_cursor(locked, c)]
    if not missing:
        return
    parameters = {
        "instance_ids": [c.lease.instance_id for c in missing],
        "runs": [c.lease.run_id for c in missing],
        "scopes": [c.lease.scope for c in missing],
        "idxs": [pack_index(c.lease.index) for c in missing],
    }
    for position, run_id, ended_fence, ended_seq, fence, seq in tx.send("marks", parameters).rows():
        checkpoint = missing[int(position) - 1]
        run = _run_of(locked, checkpoint, run_id)
        if run_id == checkpoint.lease.run_id and ended_fence is not None:
            run.head.header.ended_by = (ended_fence, ended_seq)
        if fence is not None:
            run.head.arrived[checkpoint.lease.key] = (fence, seq)


def _has_cursor(locked: _Locked, checkpoint: Checkpoint) -> bool:
    run = locked.runs.get(checkpoint.lease.run_id)
    return run is not None and checkpoint.lease.key in run.head.cursors


def _run_of(locked: _Locked, checkpoint: Checkpoint, current: str | None) -> LockedRun:
    """Return the run of a guard, or one that holds nothing but the id of the current run."""
    lease = checkpoint.lease
    known = locked.runs.get(lease.run_id)
    if known is not None:
        return known
    header = Header(
        instance_id=lease.instance_id,
        run_id=lease.run_id if current is None else RunId(current),
        identity=DefinitionIdentity(WorkflowId(""), ""),
        policy_fingerprint="",
        created_at=locked.now,
    )
    return locked.runs.setdefault(lease.run_id, LockedRun(Head(header=header), 0))
