"""The life of a cursor, as a table.

Theory of operation: a cursor stands at a node in one of five states. Whoever claims it finds out
what happened there (an *outcome*), and the engine turns the outcome into effects. Two tables hold
all that is legal: ``OUTCOMES`` says which outcomes exist for a state and a kind of node, and
``RESTS`` in which state each effect leaves the cursor. An outcome that is not in the table is a
driver's bug and is refused before anything is written. ``docs/states.md`` is generated from here.

A hold (pause, cancel, failure) is orthogonal: it stops a cursor from being claimed in any state,
and takes it from its holder at the next commit. It never changes the state.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from sayiir_core.engine.outcome import (
    Entered,
    Expired,
    Failed,
    Outcome,
    Signalled,
    Started,
    Succeeded,
    TimedOut,
    Woken,
)
from sayiir_core.errors import SayiirError
from sayiir_core.snapshot.effect import (
    Arrive,
    AwaitSignal,
    Effect,
    Fail,
    Finish,
    Move,
    Retry,
    Sleep,
    Spawn,
)
from sayiir_core.snapshot.head import Cursor, CursorState
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.node import END, DelayNode, SignalNode, TaskNode


class Place(StrEnum):
    """The kinds of place that differ in what can happen there."""

    TASK = "task"
    DELAY = "delay"
    SIGNAL = "signal"
    OTHER = "fork, route, loop, sub-flow or end"


OUTCOMES: Final[dict[tuple[CursorState, Place], frozenset[type[Outcome]]]] = {
    (CursorState.READY, Place.TASK): frozenset({Started, Succeeded, Failed, TimedOut}),
    (CursorState.READY, Place.DELAY): frozenset({Entered}),
    (CursorState.READY, Place.SIGNAL): frozenset({Entered}),
    (CursorState.READY, Place.OTHER): frozenset({Entered}),
    (CursorState.SLEEPING, Place.DELAY): frozenset({Woken}),
    (CursorState.AWAITING, Place.SIGNAL): frozenset({Expired}),
    (CursorState.SIGNALLED, Place.SIGNAL): frozenset({Signalled}),
}
"""What can be reported of a claimed cursor. A joining cursor cannot be claimed at all."""

RESTS: Final[dict[type[Effect], CursorState | None]] = {
    Move: CursorState.READY,
    Retry: CursorState.READY,
    Sleep: CursorState.SLEEPING,
    AwaitSignal: CursorState.AWAITING,
    Spawn: CursorState.JOINING,
    Fail: CursorState.READY,
    Arrive: None,
    Finish: None,
}
"""Where an effect leaves the cursor; None if it is removed.

``AwaitSignal`` leaves it signalled instead if the signal is already in the inbox, and ``Finish``
leaves a held cursor ready behind the last node.
"""

EVENTS: Final[tuple[tuple[CursorState, str, CursorState], ...]] = (
    (CursorState.AWAITING, "signal sent before the deadline", CursorState.SIGNALLED),
    (CursorState.JOINING, "last branch arrives", CursorState.READY),
)
"""What a store does to a cursor that nobody holds; both only make it claimable."""


class IllegalOutcomeError(SayiirError):
    """Report an outcome that cannot happen where the cursor stands: a bug in a driver."""


def place_of(definition: Definition, cursor: Cursor) -> Place:
    """Return the kind of place where a cursor stands."""
    if cursor.node == END:
        return Place.OTHER
    match definition.nodes[cursor.node]:
        case TaskNode():
            return Place.TASK
        case DelayNode():
            return Place.DELAY
        case SignalNode():
            return Place.SIGNAL
        case _:
            return Place.OTHER


def check_outcome(definition: Definition, cursor: Cursor, outcome: Outcome) -> None:
    """Refuse, with ``IllegalOutcomeError``, what cannot happen where the cursor stands."""
    place = place_of(definition, cursor)
    if type(outcome) not in OUTCOMES.get((cursor.state, place), frozenset()):
        raise IllegalOutcomeError(
            f"{type(outcome).__name__} cannot happen to a {cursor.state.value} cursor at a "
            f"{place.value} node (node {cursor.node} of {definition.identity})"
        )
