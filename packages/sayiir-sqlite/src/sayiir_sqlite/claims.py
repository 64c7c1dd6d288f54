"""Claims: one index range per lane and priority, merged by age."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sayiir_core.ids import InstanceId, RunId, SessionId, pack_index
from sayiir_core.ports.claims import Backlog
from sayiir_core.snapshot import control
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.effect import Lease
from sayiir_core.snapshot.head import Cursor, Head, Header, Lane
from sayiir_core.snapshot.motion import grant
from sayiir_sqlite.clock import StoreClock, span_micros, to_instant
from sayiir_sqlite.connection import Handle, Row
from sayiir_sqlite.database import Database
from sayiir_sqlite.heads import at_rest, grant_cursors, heads_with, live_session, release_cursors
from sayiir_sqlite.results import attach_inputs
from sayiir_sqlite.rows import read_cursor
from sayiir_sqlite.statement import statement

_NEXT_PRIORITY: Final = statement("claim_next_priority")
_CANDIDATES: Final = statement("claim_candidates")
_BACKLOG: Final = statement("backlog")
_CURSOR: Final = statement("cursor_of_run")
_CURSOR_TO_CLAIM: Final = statement("cursor_to_claim")
_OF_CLAIM: Final = statement("cursors_of_claim")

_BELOW_EVERY_PRIORITY: Final = -(2**63)

Candidate = tuple[int, int, int, bytes, Lane]
"""When it is due, with its priority; run, scope and packed index; lane."""


class Queue(NamedTuple):
    """What the queue index holds of one lane, whose definition has a number."""

    definition: int
    lane: Lane


class SQLiteClaims:
    """Hand out cursors of runs that nobody owns."""

    __slots__ = ("_aging", "_clock", "_database", "aging_interval")

    def __init__(self, database: Database, clock: StoreClock, aging_interval: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._aging = span_micros(aging_interval)
        self.aging_interval = aging_interval

    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        """Claim up to ``limit`` due cursors of these lanes, best first; see ``ClaimStore``.

        Looks first whether anything is due, so that who finds nothing waits for no writer.
        """
        with self._database.reading() as handle:
            live_session(handle, session)
            first_due = self._first_due(handle, lanes)
        if first_due is None or first_due > self._clock.micros():
            return []
        with self._database.writing() as handle:
            number = live_session(handle, session)
            best = self._best(handle, number, lanes, limit) if limit > 0 else []
            claims: list[Claim] = []
            granted: list[tuple[int, Cursor]] = []
            for _, run, scope, index, lane in best:
                row = handle.one(_CURSOR_TO_CLAIM, (run, scope, index))
                assert row is not None
                head, cursor = _head_to_claim(row, lane)
                claims.append(grant(head, cursor, session, claim_no))
                granted.append((run, cursor))
                self._database.numbers.note_run(head.header.run_id, run)
            grant_cursors(handle, number, granted)
        attach_inputs(self._database, claims)
        return claims

    def next_due(self, lanes: Collection[Lane]) -> datetime | None:
        """Return when the first cursor of these lanes that nobody holds is due."""
        with self._database.reading() as handle:
            first_due = self._first_due(handle, lanes)
        return None if first_due is None else to_instant(first_due)

    def backlog(self, lanes: Collection[Lane], *, at_most: int) -> list[Backlog]:
        """Return what waits now in each of these lanes, read from the queue's index alone."""
        now = self._clock.micros()
        found = {lane: Backlog(lane, 0, None) for lane in lanes}
        with self._database.reading() as handle:
            for queue in self._queues(handle, lanes):
                ready, oldest = 0, None
                for priority, first_due in _priorities(handle, queue):
                    if first_due <= now:
                        oldest = min(oldest or first_due, first_due)
                        key = (queue.definition, queue.lane.group, priority, now, at_most - ready)
                        (row,) = handle.all(_BACKLOG, key)
                        ready += row[0]
                since = None if oldest is None else to_instant(oldest)
                found[queue.lane] = Backlog(queue.lane, ready, since)
        return list(found.values())

    def release_claim(self, session: SessionId, claim_no: int) -> None:
        """Give back whatever this call claimed and the session still holds; repeatable."""
        with self._database.writing() as handle:
            number = self._database.numbers.session(handle, session)
            if number is not None:
                rows = handle.all(_OF_CLAIM, (number, claim_no))
                give_back(self._database, handle, session, rows)

    def release(self, leases: Sequence[Lease]) -> None:
        """Give back cursors, uncounted; a lease no longer held is skipped."""
        with self._database.writing() as handle:
            for lease in leases:
                run = self._database.numbers.run(handle, lease.run_id, lease.instance_id)
                key = (run, lease.scope, pack_index(lease.index))
                rows = [row for row in handle.all(_CURSOR, key) if _fence(row) == lease.fence]
                give_back(self._database, handle, lease.session, rows)

    def _first_due(self, handle: Handle, lanes: Collection[Lane]) -> int | None:
        dues = (
            due for queue in self._queues(handle, lanes) for _, due in _priorities(handle, queue)
        )
        return min(dues, default=None)

    def _best(
        self, handle: Handle, session: int, lanes: Collection[Lane], limit: int
    ) -> list[Candidate]:
        """Return what to claim, the best first.

        Once enough is found, only what is better is read of the queues that follow.
        """
        now = self._clock.micros()
        best: list[Candidate] = []
        for queue in self._queues(handle, lanes):
            for priority, first_due in _priorities(handle, queue):
                waits = priority * self._aging
                until = now if len(best) < limit else min(now, best[-1][0] - waits)
                if first_due <= until:
                    found = _due(handle, queue, priority, session, until, now, limit)
                    best += [(due + waits, *key, queue.lane) for due, *key in found]
                    best.sort()
                    del best[limit:]
        return best

    def _queues(self, handle: Handle, lanes: Collection[Lane]) -> Iterator[Queue]:
        for lane in set(lanes):
            definition = self._database.numbers.definition(handle, lane.identity)
            if definition is not None:
                yield Queue(definition, lane)


def give_back(database: Database, handle: Handle, session: SessionId, rows: Sequence[Row]) -> None:
    """Release those of these rows of ``cursor_rows``, ordered by run, that a session holds."""
    for stored in heads_with(handle, rows):
        release_cursors(handle, stored, control.release(stored.head, session))
        database.hint(at_rest(stored.head))


def _priorities(handle: Handle, queue: Queue) -> Iterator[tuple[int, int]]:
    """Yield each priority in a queue with the instant at which its first cursor is due."""
    priority = _BELOW_EVERY_PRIORITY
    while row := handle.one(_NEXT_PRIORITY, (queue.definition, queue.lane.group, priority)):
        priority = row[0]
        yield priority, row[1]


def _due(
    handle: Handle, queue: Queue, priority: int, session: int, until: int, now: int, limit: int
) -> list[Row]:
    identity, group = queue.lane
    return handle.all(
        _CANDIDATES,
        {
            "definition": queue.definition,
            "grp": group,
            "priority": priority,
            "until": until,
            "now": now,
            "session": session,
            "workflow_id": identity.workflow_id,
            "structure_hash": identity.structure_hash,
            "limit": limit,
        },
    )


def _head_to_claim(row: Row, lane: Lane) -> tuple[Head, Cursor]:
    """Return a head that knows no more than a claim tells, and its cursor.

    What is in the queue belongs to a run that is running and that nobody owns.
    """
    instance_id, run_id, policy_fingerprint, trace_parent, created_at = row[25:]
    header = Header(
        instance_id=InstanceId(instance_id),
        run_id=RunId(run_id),
        identity=lane.identity,
        policy_fingerprint=policy_fingerprint,
        trace_parent=trace_parent,
        created_at=to_instant(created_at),
    )
    return Head(header), read_cursor(row)


def _fence(row: Row) -> int:
    return int(row[19])
