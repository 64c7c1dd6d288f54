"""The page of legal transitions, drawn from the tables that the engine obeys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from sayiir_core.engine.condition import Condition, advice
from sayiir_core.engine.outcome import Outcome
from sayiir_core.engine.transition import EVENTS, OUTCOMES, RESTS
from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.effect import AwaitSignal, Finish
from sayiir_core.snapshot.head import CursorState, InstanceState

_INTRODUCTION: Final = """\
# States: the life of a cursor

<!-- Generated from sayiir_core/engine/transition.py by sayiir_core.engine.diagram.states_page. -->

A cursor is one point of execution: where it is, and what it waits for. It rests in one of the
states below until somebody claims it, which is possible from the instant that is stored with it.
Whoever claims it finds out what happened there (an *outcome*), and the engine turns the outcome
into *effects*, which are stored in one checkpoint. An outcome that is not listed is refused before
anything is written.
"""

_HOLD: Final = """\
A pause, a cancellation or a failure *holds* every cursor of the instance. A hold changes no state:
it stops a cursor from being claimed in any of them, and takes it from its holder at the next
commit. Unpause and retry lift it.
"""

_WAKING: Final = {
    CursorState.READY: "claim",
    CursorState.SLEEPING: "claim when due",
    CursorState.AWAITING: "claim after the deadline",
    CursorState.SIGNALLED: "claim",
}


def states_page() -> str:
    """Return ``docs/states.md`` as Markdown text."""
    sections = [
        _INTRODUCTION,
        _fenced(_diagram()),
        "## Outcomes: what can be reported of a claimed cursor\n",
        _table(("state", "place", "outcomes"), _outcome_rows()),
        f"A {CursorState.JOINING.value} cursor cannot be claimed at all.\n",
        "## Effects: where they leave the cursor\n",
        _table(("effect", "leaves it"), _effect_rows()),
        "## Events: what a store does to a cursor that nobody holds\n",
        _table(("state", "event", "new state"), _event_rows()),
        "## The instance\n",
        f"An instance is stored as one of: {', '.join(state.value for state in InstanceState)}.\n",
        _HOLD,
        "## Conditions: why an instance stands where it stands\n",
        "`explain` finds one of these for every cursor, or for the instance as a whole.\n",
        _table(("condition", "what helps"), _condition_rows()),
    ]
    return "\n".join(sections)


def _diagram() -> Iterator[str]:
    yield "stateDiagram-v2"
    yield "    [*] --> ready : create or Spawn"
    claimable = sorted({state for state, _ in OUTCOMES}, key=list(CursorState).index)
    for state in claimable:
        yield f"    {state.value} --> claimed : {_WAKING[state]}"
    targets: dict[str, list[str]] = {}
    for effect, rest in RESTS.items():
        targets.setdefault("[*]" if rest is None else rest.value, []).append(effect.__name__)
    for target, effects in targets.items():
        yield f"    claimed --> {target} : {', '.join(effects)}"
    yield f"    claimed --> signalled : {AwaitSignal.__name__}, if it was sent before"
    for state, event, after in EVENTS:
        yield f"    {state.value} --> {after.value} : {event}"


def _outcome_rows() -> Iterator[tuple[str, ...]]:
    for (state, place), outcomes in OUTCOMES.items():
        yield state.value, place.value, _names(outcomes)


def _names(outcomes: Iterable[type[Outcome]]) -> str:
    return ", ".join(sorted(f"`{outcome.__name__}`" for outcome in outcomes))


def _effect_rows() -> Iterator[tuple[str, ...]]:
    for effect, state in RESTS.items():
        rest = "removed" if state is None else state.value
        if effect is AwaitSignal:
            rest += f"; {CursorState.SIGNALLED.value} if the signal is in the inbox already"
        if effect is Finish:
            rest += f"; if it is held, {CursorState.READY.value} behind the last node"
        yield f"`{effect.__name__}`", rest


def _event_rows() -> Iterator[tuple[str, ...]]:
    for state, event, after in EVENTS:
        yield state.value, event, after.value


def _condition_rows() -> Iterator[tuple[str, ...]]:
    for condition in Condition:
        yield condition.value, advice(condition, InstanceId("order-1"), signal="approved")


def _fenced(lines: Iterable[str]) -> str:
    return "\n".join(["```mermaid", *lines, "```", ""])


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), ""])
