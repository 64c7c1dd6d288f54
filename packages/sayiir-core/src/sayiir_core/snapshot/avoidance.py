"""Leaving a failed attempt to other sessions for a moment.

How this works: ``Retry`` notes in the cursor whom it avoids, and until when. A claim passes over
the cursors that avoid its session, but only in lanes that another live session serves: elsewhere
nobody would take them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from sayiir_core.ids import SessionId
from sayiir_core.snapshot.head import Lane


class Avoidance:
    """What one claim leaves to others.

    ``serving`` returns each live session with its lanes. It is asked at most once, and only when
    a cursor avoids the session that claims.
    """

    __slots__ = ("_elsewhere", "_serving", "_session")

    def __init__(
        self,
        session: SessionId,
        serving: Callable[[], Iterable[tuple[SessionId, Collection[Lane]]]],
    ) -> None:
        self._session = session
        self._serving = serving
        self._elsewhere: frozenset[Lane] | None = None

    def passes_over(self, lane: Lane, avoided: SessionId | None) -> bool:
        """Tell whether a cursor of this lane that avoids a session now is left to others."""
        if avoided != self._session:
            return False
        if self._elsewhere is None:
            self._elsewhere = frozenset(
                lane
                for session, lanes in self._serving()
                if session != self._session
                for lane in lanes
            )
        return lane in self._elsewhere
