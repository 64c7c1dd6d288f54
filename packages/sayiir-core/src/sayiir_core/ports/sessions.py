"""The port that keeps leases: one per worker process, not one per task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sayiir_core.ids import RunKey, SessionId
from sayiir_core.snapshot.effect import Lease
from sayiir_core.snapshot.head import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """A session to register; ``session_id`` is fresh for each start of a worker.

    ``lanes`` are the queues that it takes work from, none for a runner; their definitions are
    stored before.
    """

    session_id: SessionId
    worker_id: str
    ttl: timedelta
    lanes: tuple[Lane, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """What others see of a session. ``renewed_at`` is by the store's clock.

    ``proved_alive``: its process was just seen to exist on this host; False means unknown.
    """

    session_id: SessionId
    worker_id: str
    host: str
    pid: int
    ttl: timedelta
    renewed_at: datetime
    alive: bool
    proved_alive: bool = False
    lanes: tuple[Lane, ...] = ()


class SessionStore(Protocol):
    """Register, renew and end sessions; take from the dead."""

    def register(self, session: NewSession) -> None:
        """Store a live session of this process, with whatever later proves its death."""
        ...

    def renew(self, session_id: SessionId) -> bool:
        """Renew the lease, also an expired one; False if the session was reaped or ended.

        A gap of more than its ttl since the last renewal starts its steady time anew.
        """
        ...

    def reconcile(
        self,
        session_id: SessionId,
        held: Sequence[Lease],
        run: RunKey | None = None,
    ) -> None:
        """Give back every cursor under this session that is not listed.

        With ``run`` only the cursors of that run are looked at: runners of several runs share a
        session. A caller with the answer of a claim or a commit outstanding waits for it first.
        """
        ...

    def reap(self, session_id: SessionId) -> list[SessionId]:
        """End dead sessions and take back what they hold or own; returns which.

        Dead is a session of this host whose process is proved gone, or one whose lease has
        expired: more than its ttl has passed since it was renewed. The latter only if the caller
        itself has renewed without a gap for one full ttl, and its own lease has not expired.
        What they hold is charged with a death as ``sayiir_core.snapshot.control.bereave`` says.
        """
        ...

    def end(self, session_id: SessionId) -> None:
        """End a session in good order and release all that it holds, uncounted; repeatable."""
        ...

    def view(self, session_id: SessionId) -> SessionView | None:
        """Return what is known of a session, None if nothing is."""
        ...

    def live(self) -> list[SessionView]:
        """Return the sessions that have not ended, by worker id and then session id."""
        ...
