"""Keep leases in memory."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from datetime import datetime

from sayiir_core.ids import RunKey, SessionId
from sayiir_core.ports.sessions import NewSession, SessionView
from sayiir_core.snapshot import control
from sayiir_core.snapshot.effect import Lease
from sayiir_runtime.memory.row import Session
from sayiir_runtime.memory.store import Store


class MemorySessions:
    """The session port of the memory backend; only an expired lease tells that one is dead."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    def register(self, session: NewSession) -> None:
        """Store a live session."""
        store = self._store
        with store.lock:
            now = store.clock.now()
            store.sessions[session.session_id] = Session(
                new=session,
                pid=os.getpid(),
                host=socket.gethostname(),
                renewed_at=now,
                steady_since=now,
            )

    def renew(self, session_id: SessionId) -> bool:
        """Renew the lease, also an expired one; False if the session has ended."""
        store = self._store
        with store.lock:
            session = store.sessions.get(session_id)
            if session is None or not session.alive:
                return False
            now = store.clock.now()
            if now - session.renewed_at > session.new.ttl:
                session.steady_since = now
            session.renewed_at = now
            return True

    def reconcile(
        self,
        session_id: SessionId,
        held: Sequence[Lease],
        run: RunKey | None = None,
    ) -> None:
        """Give back every cursor under this session, or one run's, that is not listed."""
        store = self._store
        listed = {(lease.run_id, lease.scope, lease.index, lease.fence) for lease in held}
        with store.turn:
            session = store.sessions.get(session_id)
            for ticket in list(session.holds) if session is not None else ():
                cursor, header = ticket.cursor, ticket.run.head.header
                if run is not None and run != (header.instance_id, header.run_id):
                    continue
                if (header.run_id, cursor.scope, cursor.index, cursor.fence) not in listed:
                    store.release(ticket)

    def reap(self, session_id: SessionId) -> list[SessionId]:
        """End expired sessions if the caller is steady; returns which."""
        store = self._store
        with store.turn:
            now = store.clock.now()
            caller = store.sessions.get(session_id)
            if caller is None or not _steady(caller, now):
                return []
            dead = [
                session
                for session in store.sessions.values()
                if session is not caller and _expired(session, now)
            ]
            for session in dead:
                self._bury(session)
            return [session.new.session_id for session in dead]

    def _bury(self, session: Session) -> None:
        session.alive = False
        for run in session.owns | {ticket.run for ticket in session.holds}:
            control.bereave(run.head, session.new.session_id)
            self._store.reindex(run)

    def end(self, session_id: SessionId) -> None:
        """End a session in good order and release all that it holds."""
        with self._store.turn:
            self._store.end_session(session_id)

    def view(self, session_id: SessionId) -> SessionView | None:
        """Return what is known of a session."""
        with self._store.lock:
            session = self._store.sessions.get(session_id)
            return None if session is None else session.view()

    def live(self) -> list[SessionView]:
        """Return the sessions that have not ended."""
        with self._store.lock:
            views = [it.view() for it in self._store.sessions.values() if it.alive]
        return sorted(views, key=lambda view: (view.worker_id, view.session_id))


def _expired(session: Session, now: datetime) -> bool:
    return session.alive and now - session.renewed_at > session.new.ttl


def _steady(session: Session, now: datetime) -> bool:
    steady = now - session.steady_since >= session.new.ttl
    return session.alive and steady and not _expired(session, now)
