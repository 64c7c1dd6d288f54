"""The session of the engine's worker."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Final

from sayiir_core.ids import SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.sessions import NewSession
from sayiir_core.workflow.definition import Definition
from sayiir_runtime.worker.serving import Serving

WORKER_ID: Final = "sayiir-engine"
"""What others see as the name of the engine's worker."""

_LEASE: Final = timedelta(days=3650)


class EngineKeeper:
    """A session whose lease outlasts every test, so that no jump of the clock ends it."""

    ttl = _LEASE

    def __init__(self, backend: Backend, serving: Serving) -> None:
        self._backend = backend
        self._serving = serving
        self.current: SessionId | None = None

    def session(self) -> SessionId:
        """Return the session; registers one if there is none."""
        if self.current is None:
            session = SessionId(uuid.uuid4().hex)
            lanes = tuple(sorted(self._serving.lanes))
            self._backend.sessions.register(
                NewSession(session_id=session, worker_id=WORKER_ID, ttl=_LEASE, lanes=lanes)
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

    def end(self) -> None:
        """End the session, which gives back all that it holds."""
        session, self.current = self.current, None
        if session is not None:
            self._backend.sessions.end(session)
