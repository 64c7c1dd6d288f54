"""Hand out cursors of runs that nobody owns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final

import psycopg

from sayiir_core.errors import BackendError
from sayiir_core.ids import SessionId
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.control import release
from sayiir_core.snapshot.effect import Lease
from sayiir_core.snapshot.head import Cursor, Header, Lane
from sayiir_core.snapshot.reference import InputRef, SignalRef, StepRef
from sayiir_postgres.connections import Connection
from sayiir_postgres.database import Database
from sayiir_postgres.heads import Changes, changes_over
from sayiir_postgres.lanes import Lanes
from sayiir_postgres.payloads import Wanted, read_payloads
from sayiir_postgres.rows import CURSOR_WIDTH, Row, bare_header, cursor_of, place_of
from sayiir_postgres.writes import key_columns, write

_EACH: Final = 64 * 1024
_TOGETHER: Final = 4 * 1024 * 1024
_SLACK: Final = 64


class PostgresClaims:
    """The claim port."""

    def __init__(self, database: Database, lanes: Lanes, *, aging_interval: timedelta) -> None:
        self._database = database
        self._lanes = lanes
        self._aging_interval = aging_interval

    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        """Claim up to ``limit`` due cursors of these lanes, with their small inputs.

        One that another call is just taking is passed over. The call is not repeated when its
        answer is lost: what it took is given back by ``release_claim``.
        """
        parameters = {
            "session": session,
            "claim_no": claim_no,
            "lanes": self._lanes.numbers(lanes),
            "limit": limit,
            # Others may be taking the best ones right now; so look a little further.
            "reach": 2 * limit + _SLACK,
            "aging_interval": self._aging_interval,
            "now": self._database.clock.parameter(),
        }

        def work(connection: Connection) -> list[Claim]:
            rows = self._database.statement(connection, "claim", parameters)
            if not rows:
                raise session_ended(session)
            claims = [claim_of(row) for row in rows if row[0] is not None]
            fill_inputs(self._database, connection, claims)
            return claims

        return self._database.run(work, patience=())

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


def claim_of(row: Row) -> Claim:
    """Return the claim of a row of ``cursor_columns`` and ``run_columns``, just granted."""
    return granted(bare_header(row[CURSOR_WIDTH:]), cursor_of(row))


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


def session_ended(session: SessionId) -> BackendError:
    """Return the error for a session that is not live."""
    return BackendError(
        f"session {session!r} has ended or was never registered in this store; register a fresh "
        f"one and claim again"
    )
