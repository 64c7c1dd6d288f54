"""The boundaries at which a process may die, each with a name that a person can read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What happens to the process at a boundary."""

    UNDISTURBED = "nothing happens"
    SIGNALS_FIRST = "every signal is sent before the run"
    BEFORE_BODY = "dies before a body is called"
    BEFORE_CALL = "dies before the store sees a call"
    DURING_CALL = "dies while the store works on a call"
    ANSWER_LOST = "dies before it gets the answer to a call"
    SIGNAL_BEFORE_PARK = "dies with the answer to a park that a signal has just overtaken"
    LEASE_LOST = "loses its lease while a body runs"
    CANCEL_BEFORE = "is asked to cancel while a body runs, and dies before its checkpoint"
    CANCEL_AFTER = "is asked to cancel while a body runs, and dies before it gets the answer"


CANCELS: Final = frozenset({Kind.CANCEL_BEFORE, Kind.CANCEL_AFTER})
"""The kinds after which the run must be cancelled."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """One moment of a run: the place names what was at work, the text is for people.

    Places are those of the definition, with turns and attempts, so that a second run meets the
    same boundaries although its branches may take turns in another order. ``is_handover``: what was
    at work changes no more than who holds the instance.
    """

    kind: Kind
    place: str
    text: str
    is_handover: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """A store call seen as what it means: ``ran`` has happened, and ``done`` is then stored.

    ``ran`` is None where nothing ran, as at a claim, which is a *handover*. ``signal`` is the name of the signal that is
    awaited from then on, None for any other call.
    """

    place: str
    ran: str | None
    done: str
    signal: str | None = None
    is_handover: bool = False

    def boundaries(self) -> list[Boundary]:
        """Return the boundaries around a call that writes this."""
        return [self.before, self.during, self.after, *self.overtaken]

    @property
    def before(self) -> Boundary:
        """Return the boundary in front of the call."""
        ran = self.ran
        text = f"before {self.done}" if ran is None else f"after {ran}, before its checkpoint"
        return self._boundary(Kind.BEFORE_CALL, text)

    @property
    def during(self) -> Boundary:
        """Return the boundary inside the call."""
        what = self.done if self.is_handover else f"the commit: {self.done}"
        return self._boundary(Kind.DURING_CALL, f"during {what}")

    @property
    def after(self) -> Boundary:
        """Return the boundary behind the call."""
        return self._boundary(Kind.ANSWER_LOST, f"{self.done}, answer lost")

    @property
    def overtaken(self) -> list[Boundary]:
        """Return the boundary at which the awaited signal comes just before the park."""
        if self.signal is None:
            return []
        text = f"signal {self.signal} sent just before: {self.done}, answer lost"
        return [self._boundary(Kind.SIGNAL_BEFORE_PARK, text)]

    def _boundary(self, kind: Kind, text: str) -> Boundary:
        return Boundary(kind, self.place, text, self.is_handover)


def around_body(step: str) -> list[Boundary]:
    """Return the boundaries at the call of a body, by the name of its step."""
    return [
        Boundary(Kind.BEFORE_BODY, step, f"before {step}"),
        Boundary(Kind.LEASE_LOST, step, f"lease lost while {step} ran"),
        Boundary(Kind.CANCEL_BEFORE, step, f"cancelled while {step} ran, before its checkpoint"),
        Boundary(Kind.CANCEL_AFTER, step, f"cancelled while {step} ran, answer lost"),
    ]


UNDISTURBED: Final = Boundary(Kind.UNDISTURBED, "", "nothing happens")
SIGNALS_FIRST: Final = Boundary(Kind.SIGNALS_FIRST, "", "all signals sent before the run")
