"""The port through which pools take work."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from sayiir_core.ids import SessionId
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.effect import Lease
from sayiir_core.snapshot.head import Lane


class Backlog(NamedTuple):
    """What waits in a lane: how many cursors could be claimed, and since when the oldest is due."""

    lane: Lane
    ready: int
    oldest: datetime | None


class ClaimStore(Protocol):
    """Hand out cursors of runs that nobody owns."""

    @property
    def aging_interval(self) -> timedelta:
        """Return how much waiting one step of priority is worth."""
        ...

    def claim(
        self, session: SessionId, claim_no: int, lanes: Collection[Lane], limit: int
    ) -> list[Claim]:
        """Claim up to ``limit`` due cursors of these lanes, each under a new fence.

        Best first by ``available_at + priority × aging interval``. Held, claimed and owned
        cursors are never given, nor one that avoids this session (``Cursor.avoids``) while another
        live session serves its lane. ``claim_no`` names the call, so that an unclear answer can be
        given back by ``release_claim``. Raises ``SessionEndedError`` if the session has ended.
        """
        ...

    def next_due(self, lanes: Collection[Lane]) -> datetime | None:
        """Return when the first cursor of these lanes that nobody holds is due, None if none is.

        The answer may lie in the past. Without a change of the store no claim finds anything
        before it.
        """
        ...

    def backlog(self, lanes: Collection[Lane], *, at_most: int) -> list[Backlog]:
        """Return what waits now in each of these lanes, one entry per lane, in any order.

        ``ready`` counts what ``claim`` could give to some session, no further than ``at_most``:
        what the answer costs does not depend on how much else there is. ``oldest`` is None where
        nothing is due. It may be a moment old, and must not keep anybody from claiming.
        """
        ...

    def release_claim(self, session: SessionId, claim_no: int) -> None:
        """Give back whatever this call claimed and the session still holds; repeatable."""
        ...

    def release(self, leases: Sequence[Lease]) -> None:
        """Give back cursors, uncounted and claimable at once; a lease no longer held is skipped."""
        ...
