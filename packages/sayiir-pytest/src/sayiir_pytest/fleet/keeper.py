"""The sessions of simulated processes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sayiir_core.ids import RunKey, SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.sessions import NewSession
from sayiir_core.snapshot.head import Lane
from sayiir_core.workflow.definition import Definition
from sayiir_runtime.runner.drives import Drives
from sayiir_runtime.runner.lookout import Lookout

TTL = timedelta(seconds=30)


class VirtualKeeper:
    """The session of a virtual worker or runner, which sends the heartbeats itself.

    ``drives`` and what follows it are for runners, as ``SessionKeeper`` has them.
    """

    ttl = TTL
    heartbeat = None

    def __init__(
        self,
        backend: Backend,
        worker_id: str,
        number: int,
        *,
        monotonic: Callable[[], float],
        lanes: tuple[Lane, ...] = (),
    ) -> None:
        self._backend = backend
        self._monotonic = monotonic
        self._worker_id = worker_id
        self._number = number
        self._lanes = lanes
        self._sessions = 0
        self.current: SessionId | None = None
        self.drives = Drives()
        self.lookout = Lookout()
        self.undone: dict[RunKey, float] = {}

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
            self.undone.clear()
        return self.current

    def save_definition(self, definition: Definition) -> None:
        """Store a definition."""
        self._backend.definitions.save(definition)

    def lost(self, session: SessionId) -> None:
        """Forget an ended session."""
        if self.current == session:
            self.current = None

    def disown_later(self, run: RunKey) -> None:
        """Note a run that is to be given back with each heartbeat for a while."""
        self.undone[run] = self._monotonic() + self.ttl.total_seconds()

    def gave_back(self, run: RunKey) -> None:
        """Note that a run was given back; forget it if it is no longer in doubt."""
        if self.undone.get(run, 0.0) <= self._monotonic():
            self.undone.pop(run, None)
