"""Claims: one index range per lane and priority, merged by age."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final

from sayiir_core.ids import SessionId, pack_index
from sayiir_core.snapshot import control
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.effect import Lease
from sayiir_core.snapshot.head import Cursor, Lane
from sayiir_core.snapshot.motion import grant
from sayiir_sqlite.clock import StoreClock, span_micros
from sayiir_sqlite.connection import Handle, Row
from sayiir_sqlite.database import Database
from sayiir_sqlite.heads import (
    StoredHead,
    grant_cursors,
    header_of_run,
    heads_with,
    live_session,
    release_cursors,
)
from sayiir_sqlite.results import attach_inputs
from sayiir_sqlite.statement import statement

_NEXT_PRIORITY: Final = statement("claim_next_priority")
_CANDIDATES: Final = statement("claim_candidates")
_CURSOR: Final = statement("cursor_of_run")
_OF_CLAIM: Final = statement("cursors_of_claim")

_BELOW_EVERY_PRIORITY: Final = -(2**63)

Candidate = tuple[int, int, int, bytes]
"""When it is due, with its priority; run, scope and packed index."""


class SQLiteClaims:
    """Hand out cursors of runs that nobody owns."""

    __slots__ = ("_aging", "_clock", "_database")

    def __init__(self, database: Database, clock: StoreClock, aging_interval: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._aging = span_micros(aging_interval)

    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        """Claim up to ``limit`` due cursors of these lanes, best first; see ``ClaimStore``."""
        with self._database.writing() as handle:
            number = live_session(handle, session)
            best = self._best(handle, set(lanes), max(limit, 0), self._clock.micros())
            heads: dict[int, StoredHead] = {}
            claims: list[Claim] = []
            granted: list[tuple[int, Cursor]] = []
            for _, run, scope, index in best:
                stored = heads.get(run) or heads.setdefault(run, header_of_run(handle, run))
                (cursor,) = stored.add(handle.all(_CURSOR, (run, scope, index)))
                claims.append(grant(stored.head, cursor, session, claim_no))
                granted.append((run, cursor))
            grant_cursors(handle, number, granted)
        attach_inputs(self._database, claims)
        return claims

    def release_claim(self, session: SessionId, claim_no: int) -> None:
        """Give back whatever this call claimed and the session still holds; repeatable."""
        with self._database.writing() as handle:
            number = self._database.numbers.session(handle, session)
            if number is not None:
                give_back(handle, session, handle.all(_OF_CLAIM, (number, claim_no)))

    def release(self, leases: Sequence[Lease]) -> None:
        """Give back cursors, uncounted; a lease no longer held is skipped."""
        with self._database.writing() as handle:
            for lease in leases:
                run = self._database.numbers.run(handle, lease.run_id, lease.instance_id)
                key = (run, lease.scope, pack_index(lease.index))
                rows = handle.all(_CURSOR, key)
                give_back(
                    handle, lease.session, [row for row in rows if _fence(row) == lease.fence]
                )

    def _best(
        self, handle: Handle, lanes: Collection[Lane], limit: int, now: int
    ) -> list[Candidate]:
        found: list[Candidate] = []
        for lane in lanes:
            definition = self._database.numbers.definition(handle, lane.identity)
            if definition is not None:
                found += self._in_lane(handle, definition, lane.group, limit, now)
        found.sort()
        return found[:limit]

    def _in_lane(
        self, handle: Handle, definition: int, group: str, limit: int, now: int
    ) -> list[Candidate]:
        found: list[Candidate] = []
        priority = _BELOW_EVERY_PRIORITY
        while row := handle.one(_NEXT_PRIORITY, (definition, group, priority)):
            priority = row[0]
            rows = handle.all(_CANDIDATES, (definition, group, priority, now, limit))
            waits = priority * self._aging
            found += [(due + waits, run, scope, index) for due, run, scope, index in rows]
        return found


def give_back(handle: Handle, session: SessionId, rows: Sequence[Row]) -> None:
    """Release those of these rows of ``cursor_rows``, ordered by run, that a session holds."""
    for stored in heads_with(handle, rows):
        release_cursors(handle, stored, control.release(stored.head, session))


def _fence(row: Row) -> int:
    return int(row[19])
