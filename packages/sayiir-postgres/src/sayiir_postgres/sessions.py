"""Leases: one row per worker process."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from sayiir_core.ids import RunKey, SessionId, WorkflowId, pack_index
from sayiir_core.ports.sessions import NewSession, SessionView
from sayiir_core.snapshot.effect import Lease
from sayiir_core.snapshot.head import Lane
from sayiir_core.workflow.definition import DefinitionIdentity
from sayiir_postgres.claims import released
from sayiir_postgres.connections import Connection
from sayiir_postgres.database import Database
from sayiir_postgres.estates import settle, settle_all
from sayiir_postgres.lanes import Lanes
from sayiir_postgres.process import Fate, ProcessIdentity, fate_of
from sayiir_postgres.rows import Row
from sayiir_postgres.transaction import Transaction
from sayiir_postgres.writes import write


class PostgresSessions:
    """The session port."""

    def __init__(self, database: Database, lanes: Lanes) -> None:
        self._database = database
        self._lanes = lanes
        self._mine: set[tuple[int, SessionId]] = set()

    def register(self, session: NewSession) -> None:
        """Store a live session of this process, with what names it on this host.

        Raises ``BackendError`` for a lane whose definition is not stored.
        """
        own = ProcessIdentity.own()
        numbers = self._lanes.require(session.lanes)
        self._database.call(
            "register_session",
            session=session.session_id,
            worker_id=session.worker_id,
            host=own.host,
            kernel=own.kernel,
            pid=own.pid,
            process_start=own.start,
            ttl=session.ttl,
            lanes=[numbers[lane][1] for lane in session.lanes],
            now=self._now(),
        )
        self._mine.add((own.pid, session.session_id))

    def renew(self, session_id: SessionId) -> bool:
        """Renew the lease, also an expired one; False if the session was reaped or ended.

        The answer tells the server's time too, so that the estimate of it does not drift.
        """

        def work(connection: Connection) -> bool:
            parameters = {"session": session_id, "now": self._now()}
            before = time.monotonic()
            rows = self._database.statement(connection, "renew_session", parameters)
            for (server_time,) in rows:
                self._database.clock.observe(server_time, before=before, after=time.monotonic())
            return bool(rows)

        return self._database.run(work)

    def reconcile(
        self,
        session_id: SessionId,
        held: Sequence[Lease],
        run: RunKey | None = None,
    ) -> None:
        """Give back every cursor under this session, or one run's, that is not listed."""
        parameters = {
            "session": session_id,
            "run": None if run is None else run.run_id,
            "runs": [lease.run_id for lease in held],
            "scopes": [lease.scope for lease in held],
            "idxs": [pack_index(lease.index) for lease in held],
            "fences": [lease.fence for lease in held],
        }

        def work(connection: Connection) -> None:
            with self._database.transaction(connection) as tx:
                rows = tx.send("lock_unlisted_cursors", parameters).rows()
                write(tx, released(rows, session_id), self._lanes)

        self._database.run(work)

    def reap(self, session_id: SessionId) -> list[SessionId]:
        """End dead sessions, then take back what they and earlier ones left; returns which.

        The end of a session is committed before anything is taken from it.
        """
        rows = self._database.call(
            "reap_sessions",
            session=session_id,
            proved=self._proved_gone(session_id),
            now=self._now(),
        )
        settle_all(self._database, self._lanes)
        return sorted(SessionId(row[0]) for row in rows)

    def _proved_gone(self, caller: SessionId) -> list[SessionId]:
        """Return the live sessions of this host whose process is not there any more."""
        kernel = ProcessIdentity.own().kernel
        if kernel is None:
            return []
        rows = self._database.call("neighbour_sessions", kernel=kernel, session=caller)
        return [
            SessionId(session) for session, pid, start in rows if fate_of(pid, start) is Fate.GONE
        ]

    def end(self, session_id: SessionId) -> None:
        """End a session in good order and release all that it holds; repeatable."""
        self._database.call("end_session", session=session_id, now=self._now())
        settle(self._database, self._lanes, session_id)
        self._mine.discard((os.getpid(), session_id))

    def end_mine(self) -> None:
        """End every session that this process registered."""
        for pid, session_id in sorted(self._mine):
            if pid == os.getpid():
                self.end(session_id)

    def view(self, session_id: SessionId) -> SessionView | None:
        """Return what is known of a session, None if nothing is."""
        rows = self._database.call("view_session", session=session_id)
        return _view(rows[0]) if rows else None

    def live(self) -> list[SessionView]:
        """Return the sessions that have not ended, by worker id and then session id."""
        return [_view(row) for row in self._database.call("live_sessions")]

    def _now(self) -> object:
        return self._database.clock.parameter()


def read_view(tx: Transaction, session_id: SessionId) -> SessionView | None:
    """Return what is known of a session, read within a transaction."""
    rows = tx.send("view_session", {"session": session_id}).rows()
    return _view(rows[0]) if rows else None


def _view(row: Row) -> SessionView:
    session_id, worker_id, host, kernel, pid, start, ttl, renewed_at, state, lanes = row
    live = state == "live"
    here = live and kernel is not None and kernel == ProcessIdentity.own().kernel
    return SessionView(
        session_id=SessionId(session_id),
        worker_id=worker_id,
        host=host,
        pid=pid,
        ttl=ttl,
        renewed_at=renewed_at,
        alive=live,
        proved_alive=here and fate_of(pid, start) is Fate.ALIVE,
        lanes=tuple(
            Lane(DefinitionIdentity(WorkflowId(workflow_id), structure_hash), tags)
            for workflow_id, structure_hash, tags in lanes
        ),
    )
