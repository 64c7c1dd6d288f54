"""From store calls to words: what a checkpoint means, told by its effects and the definition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from sayiir_core.ids import Index
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.effect import (
    Arrive,
    AwaitSignal,
    Checkpoint,
    Fail,
    Finish,
    Move,
    Record,
    Retry,
    Sleep,
    Spawn,
    Start,
)
from sayiir_core.snapshot.head import Cursor, Head
from sayiir_core.snapshot.step import StepRecord, StepStatus, Verdict
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.node import END, DelayNode, ForkNode, SignalNode, TaskNode
from sayiir_pytest.recovery.boundary import Event


class Naming:
    """Name what one process does to one run of a definition, each place once."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._joins = {
            node.next: node.path for node in definition.nodes if isinstance(node, ForkNode)
        }
        self._seen: Counter[str] = Counter()

    def step(self, path: str, turns: Index, attempt: int = 1) -> str:
        """Return the path of a node with its turns, and its attempt behind the first one."""
        at = path + "".join(f"[{turn}]" for turn in turns)
        return at if attempt == 1 else f"{at} (attempt {attempt})"

    def commit(self, checkpoint: Checkpoint, cursor: Cursor | None) -> Event:
        """Return what a checkpoint means; ``cursor`` is its cursor before it."""
        effects = checkpoint.effects
        record = next((it.step for it in effects if isinstance(it, Record)), None)
        follows = self._follows(checkpoint, cursor)
        signal = next((it.name for it in effects if isinstance(it, AwaitSignal)), None)
        if record is None:
            place, text = self._unrecorded(checkpoint, cursor)
            done = ", ".join([text, *follows]) if text else ", ".join(follows)
            return Event(self._once(f"{place}: {done}"), None, done, signal)
        place = self._once(
            self.step(self._definition.nodes[record.node].path, record.turns, record.attempt)
        )
        ran, done = self._recorded(record)
        return Event(place, ran, ", ".join([done, *follows]), signal)

    def create(self) -> Event:
        """Return the creation of the run."""
        return Event("creation", None, "the creation of the run")

    def claims(self, claims: Iterable[Claim]) -> Event | None:
        """Return what a claim has given, None for nothing."""
        places = [self._at(claim.cursor.node, claim.cursor.turns) for claim in claims]
        return self.call(f"claim of {', '.join(sorted(places))}") if places else None

    def call(self, what: str) -> Event:
        """Return a call that changes no more than who holds what."""
        return Event(self._once(what), None, what, is_handover=True)

    def rest(self, head: Head) -> str:
        """Return where an instance stands."""
        cursors = [it for it in head.cursors.values() if not it.pending]
        places = sorted(self._at(cursor.node, cursor.turns) for cursor in cursors)
        return f"at {', '.join(places)}" if places else "at its end"

    def _once(self, place: str) -> str:
        """Return the place with a number behind it from the second time on."""
        self._seen[place] += 1
        number = self._seen[place]
        return place if number == 1 else f"{place} ({number})"

    def _at(self, ordinal: int, turns: Index) -> str:
        if ordinal == END:
            return "the end"
        return self.step(self._definition.nodes[ordinal].path, turns)

    def _recorded(self, step: StepRecord) -> tuple[str, str]:
        node, where = self._definition.nodes[step.node], self._at(step.node, step.turns)
        match node:
            case DelayNode():
                return f"delay {where} was over", f"wake from {where} stored"
            case SignalNode() if step.source is not None:
                return f"{where} got its signal", f"signal of {where} taken"
            case SignalNode():
                return f"the deadline of {where} had passed", f"deadline of {where} stored"
            case _:
                pass
        if step.status is not StepStatus.SUCCEEDED:
            return f"{where} failed", f"failure of {where} stored"
        if isinstance(node, TaskNode) and node.is_join:
            fork = self._joins[step.node] + where.removeprefix(node.path)
            return f"the join of {fork} ran", f"join of {fork} done"
        if step.verdict is Verdict.AGAIN:
            return f"{where} ran", f"turn {step.turns[-1]} of {node.path} done"
        return f"{where} ran", f"{where} done"

    def _unrecorded(self, checkpoint: Checkpoint, cursor: Cursor | None) -> tuple[str, str]:
        where = "the run" if cursor is None else self._at(cursor.node, cursor.turns)
        is_mark = any(isinstance(effect, Start) for effect in checkpoint.effects)
        return where, f"start of {where} marked" if is_mark else ""

    def _follows(self, checkpoint: Checkpoint, cursor: Cursor | None) -> list[str]:
        """Return what a checkpoint does behind its record."""
        scopes, nodes = self._definition.scopes, self._definition.nodes
        where = "the run" if cursor is None else self._at(cursor.node, cursor.turns)
        said: list[str] = []
        for effect in checkpoint.effects:
            match effect:
                case Move(node, turns):
                    where = self._at(node, turns)
                case Sleep():
                    said.append(f"parked at {where}")
                case AwaitSignal(name):
                    said.append(f"parked at {where} for signal {name}")
                case Spawn(children):
                    said.append(f"{nodes[scopes[children[0].scope].owner].path} opened")
                case Arrive():
                    said.append(f"{scopes[checkpoint.lease.scope].path} joins")
                case Retry():
                    said.append("retry due")
                case Finish():
                    said.append("run completed")
                case Fail():
                    said.append("run failed")
                case _:
                    pass
        return said


_WHO_HOLDS: Final = {
    "ownership.own": "taking ownership",
    "ownership.disown": "giving back",
    "claims.release": "releasing",
    "claims.release_claim": "releasing a claim",
}


def name_of_call(name: str, rest: str) -> str:
    """Return words for a call that changes who holds what, where the instance stands there."""
    return f"{_WHO_HOLDS[name]} {rest}"


def checkpoints_of(name: str, arguments: tuple[Any, ...]) -> list[Checkpoint]:
    """Return the checkpoints that a call carries, none for another call."""
    return list(arguments[0]) if name == "checkpoints.commit" else []
