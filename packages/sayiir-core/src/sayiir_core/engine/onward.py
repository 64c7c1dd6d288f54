"""Straight on: behind a task stands another task, or the end of the run or of its branch.

How this works: outside of loops, the reference to what a task gives and what follows it are the
same in every run. ``onward`` works them out once, so that a driver which calls plain tasks one
after the other makes the checkpoint of each without another look at the definition. ``advance``
goes straight on by the same function, so both make the same checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sayiir_core.ids import Index
from sayiir_core.snapshot.effect import Arrive, Checkpoint, Finish, Lease, Move, Record
from sayiir_core.snapshot.head import CursorKey
from sayiir_core.snapshot.reference import Ref, StepRef
from sayiir_core.snapshot.step import StepRecord, StepStatus
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.node import END, Scope, ScopeKind, TaskNode

# Bound once, because every branch asks: finding a member in its enum takes several times as long.
_BRANCH: Final = ScopeKind.BRANCH
_SUCCEEDED: Final = StepStatus.SUCCEEDED


def straight(
    definition: Definition, node: TaskNode, turns: Index, value: Ref
) -> Move | Finish | None:
    """Return where a task's value goes on from there, None if that takes a walk."""
    if node.next == END:
        root = definition.scopes[node.scope].kind is ScopeKind.ROOT
        return Finish(value) if root else None
    following = definition.nodes[node.next]
    if type(following) is not TaskNode:
        return None
    return Move(following.ordinal, turns, value, following.group, following.priority)


def arrival(definition: Definition, node: TaskNode, turns: Index, value: Ref) -> Arrive | None:
    """Return how a branch ends behind its last task with its value, None if it goes on."""
    if node.next != END:
        return None
    scope = definition.scopes[node.scope]
    return arrive(definition, scope, turns, value) if scope.kind is _BRANCH else None


def arrive(definition: Definition, branch: Scope, turns: Index, value: Ref) -> Arrive:
    """Return how a branch ends: its value is given to the line that has forked."""
    line = definition.scopes[definition.nodes[branch.owner].scope]
    return Arrive(value, CursorKey(line.line, turns[: line.line_depth]))


@dataclass(slots=True)
class Onward:
    """What follows a succeeded task, the same in every run: its value, and where that goes.

    Every checkpoint shares the two, so nobody may change them.
    """

    node: int
    value: StepRef
    then: Move | Finish

    def checkpoint(
        self,
        lease: Lease,
        seq: int,
        attempt: int,
        output: bytes,
        started_at: datetime | None,
        finished_at: datetime | None,
    ) -> Checkpoint:
        """Return what ``advance`` does for a ready cursor here whose body returned ``output``.

        ``attempt`` is the number of this attempt.
        """
        step = StepRecord(
            self.node,
            (),
            attempt,
            _SUCCEEDED,
            output,
            None,
            None,
            None,
            started_at,
            finished_at,
        )
        return Checkpoint(lease, seq, (Record(step), self.then), True)


def onward(definition: Definition, ordinal: int) -> Onward | None:
    """Return what follows a task in every run, None if that depends on the run or on its value."""
    node = definition.task(ordinal)
    if definition.scopes[node.scope].depth:
        return None
    value = StepRef(ordinal)
    then = straight(definition, node, (), value)
    return None if then is None else Onward(ordinal, value, then)
