"""The optional port that spares those who wait for work, or for an end, their polling."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol


class HintKind(StrEnum):
    """What a hint is about.

    ``CLAIMABLE``: an unheld cursor of no owner may be due now. ``ENDED``: a run may have ended, or
    the last body of a stopped one may have come to rest.
    """

    CLAIMABLE = "claimable"
    ENDED = "ended"


class Subscription(Protocol):
    """One listener for hints of one kind."""

    @property
    def trouble(self) -> str | None:
        """Return why hints of other processes do not arrive at the moment, None if they do.

        While there is trouble the subscriber polls more often. The adapter tries to end it by
        itself, and gives a hint when it has.
        """
        ...

    def close(self) -> None:
        """Stop; repeatable."""
        ...


class Wakeup(Protocol):
    """Hint that a cursor may have become claimable, or that a run may have ended.

    The stores send the hints themselves, off the path of their callers: after whatever makes an
    unheld cursor of no owner due now, after an owner gave up a run that waits for a moment, which
    nobody else knows, and after the end of a run. A change that does both gives both kinds of hint.
    Hints are coalesced, may come late, twice, or for nothing, and may be lost: so a subscriber also
    looks by itself now and then.
    """

    def subscribe(self, kind: HintKind, hint: Callable[[], None]) -> Subscription:
        """Call ``hint``, quickly and from any thread, whenever there may be what ``kind`` says.

        Opens nothing on the caller's thread and never fails because the store is unreachable. A
        hint that raises harms neither who made the change nor the other subscribers. A store that
        cannot tell the kinds apart calls every subscriber.
        """
        ...
