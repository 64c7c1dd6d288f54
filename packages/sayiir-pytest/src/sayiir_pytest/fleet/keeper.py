"""The session of a simulated worker."""

from __future__ import annotations

from datetime import timedelta

from sayiir_core.ids import SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.sessions import NewSession
from sayiir_core.workflow.definition import Definition
from sayiir_runtime.worker.serving import Serving

TTL = timedelta(seconds=30)


class VirtualKeeper:
    """The session of a virtual worker; its worker sends the heartbeats."""

    ttl = TTL

    def __init__(self, backend: Backend, worker_id: str, number: int, serving: Serving) -> None:
        self._backend = backend
        self._worker_id = worker_id
        self._number = number
        self._lanes = tuple(sorted(serving.lanes))
        self._sessions = 0
        self.current: SessionId | None = None

    def session(self) -> SessionId:
        """Return the session; registers one if there is none."""
        if self.current is None:
            self._sessions += 1
            session = SessionId(f"s{self._number}.{self._sessions}")
            self._backend.sessions.register(
                NewSession(
                    session_id=session, worker_id=self._worker_id, ttl=TTL, lanes=self._lanes
                )
            )
            self.current = session
        return self.current

    def save_definition(self, definition: Definition) -> None:
        """Store a definition."""
        self._backend.definitions.save(definition)

    def lost(self, session: SessionId) -> None:
        """Forget an ended session."""
        if self.current == session:
            self.current = None
