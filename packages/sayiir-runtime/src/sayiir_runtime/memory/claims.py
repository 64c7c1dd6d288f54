"""Hand out and take back cursors in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sayiir_core.ids import SessionId
from sayiir_core.ports.claims import Backlog
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.avoidance import Avoidance
from sayiir_core.snapshot.effect import Lease
from sayiir_core.snapshot.head import Lane
from sayiir_runtime.memory.store import Store


class MemoryClaims:
    """The claim port of the memory backend."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def aging_interval(self) -> timedelta:
        """Return how much waiting one step of priority is worth."""
        return self._store.queue.aging_interval

    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        """Claim up to ``limit`` due cursors of these lanes, best first."""
        store = self._store
        with store.lock:
            store.live_session(session)
            avoidance = Avoidance(session, store.serving)
            tickets = store.queue.take(lanes, limit, store.clock.now(), avoidance)
            return store.claim(tickets, session, claim_no)

    def next_due(self, lanes: Collection[Lane]) -> datetime | None:
        """Return when the first cursor of these lanes that nobody holds is due."""
        with self._store.lock:
            return self._store.queue.next_due(lanes)

    def backlog(self, lanes: Collection[Lane], *, at_most: int) -> list[Backlog]:
        """Return what waits now in each of these lanes."""
        store = self._store
        with store.lock:
            now = store.clock.now()
            return [store.queue.backlog(lane, now, at_most) for lane in set(lanes)]

    def release_claim(self, session: SessionId, claim_no: int) -> None:
        """Give back what one claim call took and the session still holds."""
        store = self._store
        with store.turn:
            known = store.sessions.get(session)
            for ticket in list(known.holds) if known is not None else ():
                if ticket.cursor.claim_no == claim_no:
                    store.release(ticket)

    def release(self, leases: Sequence[Lease]) -> None:
        """Give back cursors; a lease that is no longer held is skipped."""
        store = self._store
        with store.turn:
            for lease in leases:
                run = store.run_of.get(lease.run_id)
                ticket = None if run is None else run.tickets.get((lease.scope, lease.index))
                if ticket is None:
                    continue
                if ticket.holder == lease.session and ticket.cursor.fence == lease.fence:
                    store.release(ticket)
