"""Hand out cursors of runs that nobody owns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

import psycopg

from sayiir_core.errors import SessionEndedError
from sayiir_core.ids import RunId, SessionId, unpack_index
from sayiir_core.ports.claims import Backlog
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.control import claim_order, release
from sayiir_core.snapshot.effect import Lease
from sayiir_core.snapshot.head import Cursor, CursorState, Header, Lane
from sayiir_core.snapshot.reference import (
    INPUT,
    InputRef,
    Leaf,
    SignalRef,
    StepRef,
    decode_ref,
)
from sayiir_postgres.arrays import ints
from sayiir_postgres.connections import Connection
from sayiir_postgres.database import Database
from sayiir_postgres.heads import Changes, changes_over
from sayiir_postgres.lanes import Lanes
from sayiir_postgres.numbered import execute_numbered
from sayiir_postgres.payloads import Wanted, read_payloads
from sayiir_postgres.rows import (
    Row,
    cursor_of,
    decode_deaths,
    place_of,
)
from sayiir_postgres.writes import key_columns, write

_EACH: Final = 64 * 1024
_TOGETHER: Final = 4 * 1024 * 1024
_SLACK: Final = 32
_FEW: Final = 16
_PRIORITIES: Final = 5
_DEEPER: Final = 4
_STATES: Final = {state.value: state for state in CursorState}


class PostgresClaims:
    """The claim port."""

    def __init__(self, database: Database, lanes: Lanes, *, aging_interval: timedelta) -> None:
        self._database = database
        self._lanes = lanes
        self._aging_interval = aging_interval

    @property
    def aging_interval(self) -> timedelta:
        """Return how much waiting one step of priority is worth."""
        return self._aging_interval

    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        """Claim up to ``limit`` due cursors of these lanes, with their small inputs.

        One that another call is just taking is passed over. The call is not repeated when its
        answer is lost: what it took is given back by ``release_claim``.
        """
        numbers = self._lanes.numbers(lanes)
        claims: list[Claim] = []
        # Others may be taking the best ones right now; so look a little further than the limit.
        reach = limit + _SLACK
        while True:
            left = limit - len(claims)
            due, found = self._claim(session, claim_no, numbers, left, reach)
            claims += found
            if len(claims) >= limit or due < reach:
                break
            reach *= _DEEPER
        return sorted(claims, key=self._order) if len(claims) > len(found) else claims

    def _order(self, claim: Claim) -> datetime:
        return claim_order(claim.cursor, self._aging_interval)

    def _claim(
        self,
        session: SessionId,
        claim_no: int,
        lanes: list[int],
        limit: int,
        reach: int,
    ) -> tuple[int, list[Claim]]:
        """Claim among the ``reach`` best; return how many of those there are, and the claims."""
        parameters = self._parameters(session, claim_no, lanes, limit, reach)

        def work(connection: Connection) -> Sequence[Row]:
            return execute_numbered(connection, self._database.statements["claim"], parameters)

        rows = self._database.run(work, patience=())
        if not rows:
            raise SessionEndedError(session)
        taken = (row for row in rows if row[1] is not None)
        return rows[0][0], [self._taken(row, session, claim_no) for row in taken]

    def _parameters(
        self, session: SessionId, claim_no: int, lanes: list[int], limit: int, reach: int
    ) -> dict[str, Any]:
        return {
            "session": session,
            "claim_no": claim_no,
            "lanes": ints(lanes),
            "limit": limit,
            "reach": reach,
            "share": reach // max(1, _PRIORITIES * len(lanes)) + _FEW,
            "aging_interval": self._aging_interval,
            "each": _EACH,
            "together": _TOGETHER,
            "now": self._database.clock.parameter(),
        }

    def _taken(self, row: Row, session: SessionId, claim_no: int) -> Claim:
        """Return the claim of a row of ``claim.sql``: what was queued is neither held nor begun."""
        (_, instance_id, definition, tags, run, trace_parent, scope, idx, node, turns) = row[:10]
        (ref, priority, state, available_at, attempt, fresh_from, deaths) = row[10:17]
        (signal, delivered, fence, seq, avoid, avoid_until, payload) = row[17:]
        index = unpack_index(idx)
        leaf = INPUT if ref == "i" else decode_ref(ref)
        cursor = Cursor(
            scope,
            index,
            node,
            unpack_index(turns),
            leaf,
            tags,
            priority,
            _STATES[state],
            available_at,
            attempt,
            fresh_from,
            decode_deaths(deaths),
            signal,
            delivered,
            session=session,
            claim_no=claim_no,
            fence=fence,
            seq=seq,
            avoid=avoid,
            avoid_until=avoid_until,
        )
        lease = Lease(instance_id, RunId(run), scope, index, session, fence)
        identity = self._lanes.lane(definition, tags).identity
        inputs = {} if payload is None else {cast("Leaf", leaf): payload}
        return Claim(lease, identity, cursor, trace_parent, inputs)

    def next_due(self, lanes: Collection[Lane]) -> datetime | None:
        """Return when the first cursor of these lanes that nobody holds is due."""
        rows = self._database.call("next_due", lanes=self._lanes.numbers(lanes))
        return cast("datetime | None", rows[0][0])

    def backlog(self, lanes: Collection[Lane], *, at_most: int) -> list[Backlog]:
        """Return what waits now in each of these lanes, read from the queue's index alone."""
        numbers = {number: lane for lane in set(lanes) for number in self._lanes.numbers([lane])}
        found = {lane: Backlog(lane, 0, None) for lane in lanes}
        if numbers:
            now = self._database.clock.parameter()
            rows = self._database.call("backlog", lanes=[*numbers], at_most=at_most, now=now)
            for number, ready, oldest in rows:
                found[numbers[number]] = Backlog(numbers[number], ready, oldest)
        return list(found.values())

    def release_claim(self, session: SessionId, claim_no: int) -> None:
        """Give back whatever this call claimed; a call that is still under way is waited for."""

        def work(connection: Connection) -> None:
            with self._database.transaction(connection) as tx:
                # Without this lock a claim in flight would be missed, and nobody would hold it.
                tx.send("lock_session_alone", {"session": session})
                parameters = {"session": session, "claim_no": claim_no}
                rows = tx.send("lock_claimed_cursors", parameters).rows()
                write(tx, released(rows, session), self._lanes)

        self._database.run(work)

    def release(self, leases: Sequence[Lease]) -> None:
        """Give back cursors; a lease no longer held is skipped."""
        if not leases:
            return
        listed = {(lease.run_id, lease.key): lease for lease in leases}
        sessions = sorted({lease.session for lease in leases})
        parameters = {"whole": [], **key_columns(sorted(listed))}

        def work(connection: Connection) -> None:
            with self._database.transaction(connection) as tx:
                rows = tx.send("lock_cursors", parameters).rows()
                held = [row for row in rows if _is_held(cursor_of(row), listed[place_of(row)])]
                write(tx, released(held, *sessions), self._lanes)

        self._database.run(work)


def released(rows: Sequence[Row], *sessions: SessionId) -> Changes:
    """Return the changes that give back what sessions hold of locked cursors."""
    changes = changes_over(rows)
    for run in changes.runs:
        for session in sessions:
            run.touch(release(run.head, session))
    return changes


def _is_held(cursor: Cursor, lease: Lease) -> bool:
    return cursor.session == lease.session and cursor.fence == lease.fence


def granted(header: Header, cursor: Cursor) -> Claim:
    """Return the claim on a cursor that its session holds."""
    assert cursor.session is not None
    lease = Lease(
        instance_id=header.instance_id,
        run_id=header.run_id,
        scope=cursor.scope,
        index=cursor.index,
        session=cursor.session,
        fence=cursor.fence,
    )
    return Claim(
        lease=lease, identity=header.identity, cursor=cursor, trace_parent=header.trace_parent
    )


def fill_inputs(database: Database, connection: Connection, claims: Sequence[Claim]) -> None:
    """Add the small payloads that the cursors' inputs name.

    The claims are taken already: if the connection breaks here they are given without.
    """
    wanted: list[Wanted] = []
    takers: list[Claim] = []
    for claim in claims:
        leaf = claim.cursor.input
        if isinstance(leaf, InputRef | StepRef | SignalRef):
            wanted.append((claim.lease.instance_id, claim.lease.run_id, leaf))
            takers.append(claim)
    try:
        found = read_payloads(database, connection, wanted, each=_EACH, together=_TOGETHER)
    except psycopg.OperationalError:
        return
    for claim, (_, _, leaf), payload in zip(takers, wanted, found, strict=True):
        if payload is not None:
            claim.inputs[leaf] = payload
