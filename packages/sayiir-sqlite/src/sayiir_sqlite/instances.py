"""Instances: create, read, list and remove runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sayiir_core.errors import BackendError
from sayiir_core.ids import InstanceId
from sayiir_core.ports.instances import Created, Exists, InstancePage, InstanceQuery, NewInstance
from sayiir_core.ports.wakeup import HintKind
from sayiir_core.snapshot.birth import born
from sayiir_core.snapshot.head import Head, Header, InstanceState
from sayiir_core.workflow.definition import DefinitionIdentity
from sayiir_sqlite.clock import StoreClock, to_instant, to_micros
from sayiir_sqlite.connection import Handle
from sayiir_sqlite.database import Database
from sayiir_sqlite.heads import (
    StoredHead,
    find_header,
    insert_cursors,
    live_session,
    load_head,
)
from sayiir_sqlite.limit import PayloadLimit
from sayiir_sqlite.listing import list_headers
from sayiir_sqlite.removal import RunRow, find_run, remove_inbox, remove_run, remove_signals
from sayiir_sqlite.rows import write_labels
from sayiir_sqlite.statement import statement

_INSERT: Final = statement("instance_insert")
_INPUT_INSERT: Final = statement("input_insert")
_LABEL_INSERT: Final = statement("label_insert")
_TO_PRUNE: Final = statement("instances_to_prune")
_FORGET_LANES: Final = statement("session_lanes_forget")
_FORGET_SESSIONS: Final = statement("sessions_forget")

_PRUNED_AT_ONCE: Final = 50


class SQLiteInstances:
    """Keep runs, at most one per instance id."""

    __slots__ = ("_clock", "_database", "_limit")

    def __init__(self, database: Database, clock: StoreClock, limit: PayloadLimit) -> None:
        self._database = database
        self._clock = clock
        self._limit = limit

    def create(self, batch: Sequence[NewInstance]) -> list[Created | Exists]:
        """Create each run, or answer which one has its id; all in one transaction."""
        for new in batch:
            self._limit.check(new.input, "input", new.instance_id)
        with self._database.writing() as handle:
            now = self._clock.micros()
            return [self._create(handle, new, now) for new in batch]

    def load(self, instance_id: InstanceId) -> Head:
        """Return the header and all live cursors or raise ``InstanceNotFoundError``."""
        with self._database.reading() as handle:
            return load_head(handle, instance_id).head

    def headers(self, instance_ids: Sequence[InstanceId]) -> list[Header | None]:
        """Return the header of each instance, None for an unknown one, all of one moment."""
        with self._database.reading() as handle:
            found = [find_header(handle, instance_id) for instance_id in instance_ids]
        return [None if stored is None else stored.head.header for stored in found]

    def select(self, query: InstanceQuery) -> InstancePage:
        """Return one page of headers, newest first."""
        with self._database.reading() as handle:
            return list_headers(handle, query)

    def prune(self, *, finished_before: datetime, limit: int) -> int:
        """Remove up to ``limit`` runs that ended before an instant; returns how many.

        Goes in small transactions, so that others are not kept waiting.
        """
        cutoff, pruned = to_micros(finished_before), 0
        while pruned < limit:
            wanted = min(_PRUNED_AT_ONCE, limit - pruned)
            found = self._prune_some(cutoff, wanted)
            pruned += found
            if found < wanted:
                break
        return pruned

    def _prune_some(self, cutoff: int, limit: int) -> int:
        with self._database.writing() as handle:
            runs = [RunRow(*row) for row in handle.all(_TO_PRUNE, (cutoff, limit))]
            for run in runs:
                remove_run(handle, run)
                remove_inbox(handle, run.instance_id)
            if runs:
                now = self._clock.micros()
                handle.execute(_FORGET_LANES, (now,))
                handle.execute(_FORGET_SESSIONS, (now,))
            return len(runs)

    def _create(self, handle: Handle, new: NewInstance, now: int) -> Created | Exists:
        if new.owner is not None:
            live_session(handle, new.owner)
        definition = self._definition(handle, new.identity)
        if new.replace:
            existing = find_run(handle, new.instance_id)
            if existing is not None:
                remove_run(handle, existing)
                self._database.hint(HintKind.ENDED)
            remove_signals(handle, new.instance_id)
        head, claim = born(_header(new, now), node=new.node, group=new.group, priority=new.priority)
        run = _insert(handle, new, definition, now)
        if run is None:
            return Exists(load_head(handle, new.instance_id).head)
        stored = StoredHead(run, definition, head)
        handle.execute(_INPUT_INSERT, (stored.run, new.input))
        insert_cursors(handle, stored, head.cursors.values())
        for key, value in new.labels.items():
            handle.execute(_LABEL_INSERT, (key, value, stored.run))
        if claim is None:
            self._database.hint(HintKind.CLAIMABLE)
        return Created(head, claim)

    def _definition(self, handle: Handle, identity: DefinitionIdentity) -> int:
        number = self._database.numbers.definition(handle, identity)
        if number is None:
            raise BackendError(
                f"definition {identity} is not stored; save it before its instances are created"
            )
        return number


def _insert(handle: Handle, new: NewInstance, definition: int, now: int) -> int | None:
    """Return the number of the new run, None if its id is taken."""
    row = (
        new.run_id,
        new.instance_id,
        definition,
        new.policy_fingerprint,
        InstanceState.RUNNING.value,
        new.owner,
        write_labels(new.labels),
        new.trace_parent,
        now,
    )
    inserted = handle.execute(_INSERT, row)
    return inserted.lastrowid if inserted.rowcount == 1 else None


def _header(new: NewInstance, now: int) -> Header:
    return Header(
        instance_id=new.instance_id,
        run_id=new.run_id,
        identity=new.identity,
        policy_fingerprint=new.policy_fingerprint,
        owner=new.owner,
        labels=dict(new.labels),
        trace_parent=new.trace_parent,
        created_at=to_instant(now),
    )
