"""Keep leases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from sayiir_core.errors import BackendError
from sayiir_core.ids import RunKey, SessionId
from sayiir_core.keyvalue import key
from sayiir_core.keyvalue.change import Documents
from sayiir_core.keyvalue.held import release_held, take_all
from sayiir_core.keyvalue.scan import scan_all
from sayiir_core.keyvalue.session import (
    Origin,
    SessionDocument,
    change_session,
    decode_session,
    encode_session,
    find_session,
    live_sessions,
)
from sayiir_core.ports.clock import Clock
from sayiir_core.ports.sessions import NewSession, SessionView
from sayiir_core.snapshot.effect import Lease
from sayiir_core.snapshot.head import Cursor, Head


class KeyValueSessions:
    """The session port over documents.

    An expired lease tells that a session is dead, and so does ``is_gone`` of its process.
    """

    __slots__ = ("_clock", "_documents", "_is_gone", "_origin", "_registered")

    def __init__(
        self,
        documents: Documents,
        clock: Clock,
        origin: Callable[[], Origin],
        is_gone: Callable[[Origin], bool | None],
    ) -> None:
        self._documents = documents
        self._clock = clock
        self._origin = origin
        self._is_gone = is_gone
        self._registered: dict[SessionId, Origin] = {}

    def register(self, session: NewSession) -> None:
        """Store a live session."""
        now, origin = self._clock.now(), self._origin()
        document = SessionDocument(
            session_id=session.session_id,
            worker_id=session.worker_id,
            origin=origin,
            ttl=session.ttl,
            lanes=session.lanes,
            renewed_at=now,
            steady_since=now,
        )
        place = key.session_key(session.session_id)
        if not self._documents.store.put_if(place, encode_session(document), None):
            raise BackendError(f"session {session.session_id!r} exists; register a fresh id")
        self._registered[session.session_id] = origin

    def renew(self, session_id: SessionId) -> bool:
        """Renew the lease, also an expired one; False if the session has ended."""

        def extend(session: SessionDocument) -> bool:
            now = self._clock.now()
            if session.expired(now):
                session.steady_since = now
            session.renewed_at = now
            return True

        return change_session(self._documents.store, session_id, extend)

    def reconcile(
        self,
        session_id: SessionId,
        held: Sequence[Lease],
        run: RunKey | None = None,
    ) -> None:
        """Give back every cursor under this session, or one run's, that is not listed."""
        listed = {(lease.run_id, lease.scope, lease.index, lease.fence) for lease in held}

        def is_unlisted(head: Head, cursor: Cursor) -> bool:
            if run is not None and run != (head.header.instance_id, head.header.run_id):
                return False
            place = (head.header.run_id, cursor.scope, cursor.index, cursor.fence)
            return place not in listed

        release_held(self._documents, session_id, is_unlisted)

    def reap(self, session_id: SessionId) -> list[SessionId]:
        """End who is proved gone, and expired ones if the caller is steady; complete other ends."""
        store = self._documents.store
        now = self._clock.now()
        caller = find_session(store, session_id)
        if caller is None or not caller.alive:
            return []
        dead: list[SessionId] = []
        for _, value in scan_all(store, key.SESSIONS):
            session = decode_session(value)
            if session.alive:
                gone = self._is_gone(session.origin) is True
                if session.session_id == session_id or not (gone or caller.may_reap(now)):
                    continue
                if not change_session(store, session.session_id, partial(_die, now, gone)):
                    continue
                dead.append(session.session_id)
            self._bury(session.session_id)
        return dead

    def end(self, session_id: SessionId) -> None:
        """End a session in good order and release all that it holds."""
        self._registered.pop(session_id, None)
        change_session(self._documents.store, session_id, _leave)
        self._bury(session_id)

    def end_all(self) -> None:
        """End the sessions that this process registered here."""
        here = self._origin()
        for session_id, origin in list(self._registered.items()):
            if origin == here:
                self.end(session_id)

    def view(self, session_id: SessionId) -> SessionView | None:
        """Return what is known of a session."""
        found = find_session(self._documents.store, session_id)
        return None if found is None else self._view(found)

    def live(self) -> list[SessionView]:
        """Return the sessions that have not ended."""
        views = [self._view(session) for session in live_sessions(self._documents.store)]
        return sorted(views, key=lambda view: (view.worker_id, view.session_id))

    def _view(self, session: SessionDocument) -> SessionView:
        return session.view(proved_alive=session.alive and self._is_gone(session.origin) is False)

    def _bury(self, session_id: SessionId) -> None:
        store = self._documents.store
        place = key.session_key(session_id)
        found = store.get(place)
        if found is None:
            return
        session = decode_session(found.value)
        take_all(self._documents, session_id, died=session.died)
        store.put(key.ended_key(session_id), found.value)
        store.delete(place)


def _die(now: datetime, gone: bool, session: SessionDocument) -> bool:
    if not gone and not session.expired(now):
        return False
    session.alive, session.died = False, True
    return True


def _leave(session: SessionDocument) -> bool:
    session.alive = False
    return True
