"""Walk from a finished place to the next one where something must happen.

How this works: starting behind a node (or at one), control nodes are entered and finished scopes
are left until a task, a park, a fork or the end of the line is reached. The walk is a loop over
ordinals, so nesting costs no stack; and it emits effects instead of doing anything, so that all
of it is one checkpoint together with the step that finished.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, assert_never

from sayiir_core.engine.onward import arrive
from sayiir_core.ids import Index
from sayiir_core.policy import OnMax
from sayiir_core.snapshot.effect import (
    AwaitSignal,
    Bind,
    Child,
    Effect,
    Fail,
    Finish,
    Move,
    Record,
    Sleep,
    Spawn,
)
from sayiir_core.snapshot.reference import JoinRef, Ref, RoutedRef, StepRef
from sayiir_core.snapshot.step import ErrorRecord, StepRecord, StepStatus, Verdict
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.node import (
    END,
    ChildNode,
    DelayNode,
    ForkNode,
    LoopNode,
    Node,
    RouteNode,
    Scope,
    ScopeKind,
    SignalNode,
    TaskNode,
)

_NO_DELAY: Final = timedelta(0)


class Walk:
    """A walk through a definition, with the effects that it has emitted so far."""

    __slots__ = ("definition", "effects", "now", "turns", "value", "verdict")

    def __init__(
        self,
        definition: Definition,
        *,
        turns: Index,
        value: Ref,
        now: datetime,
        verdict: Verdict | None = None,
    ) -> None:
        self.definition = definition
        self.turns = turns
        self.value = value
        self.now = now
        self.verdict = verdict
        self.effects: list[Effect] = []

    def behind(self, node: Node) -> None:
        """Go on behind a finished node."""
        self._go(node.next, self.definition.scopes[node.scope])

    def into(self, scope: Scope) -> None:
        """Go on at the first node of a scope."""
        self._go(scope.first, scope)

    def at(self, node: Node) -> None:
        """Go on at a control node that the cursor stands at."""
        self._go(node.ordinal, self.definition.scopes[node.scope])

    def between_turns(self, loop: LoopNode) -> None:
        """Judge the cap again for a cursor that failed on it."""
        self._go(END, self.definition.scopes[loop.body])

    def finish(self) -> None:
        """Complete the run."""
        self.effects.append(Finish(self.value))

    def _go(self, ordinal: int, scope: Scope) -> None:
        at: tuple[int, Scope] | None = (ordinal, scope)
        while at is not None:
            ordinal, scope = at
            at = self._leave(scope) if ordinal == END else self._enter(ordinal)

    # Leaving a scope: where to go on, None if the walk ends here.

    def _leave(self, scope: Scope) -> tuple[int, Scope] | None:
        match scope.kind:
            case ScopeKind.ROOT:
                self.finish()
                return None
            case ScopeKind.BRANCH:
                self.effects.append(arrive(self.definition, scope, self.turns, self.value))
                return None
            case ScopeKind.BODY:
                return self._leave_turn(scope)
            case ScopeKind.ARM:
                self._bind(scope)
                key = self._key_node(scope)
                self.value = RoutedRef(StepRef(key.ordinal, self.turns), self.value)
                return self._past_owner(scope)
            case ScopeKind.CHILD:
                self._bind(scope)
                return self._past_owner(scope)
            case ScopeKind.KEY:
                raise AssertionError("a key function chooses an arm; it is not walked past")
            case _:
                assert_never(scope.kind)

    def _leave_turn(self, body: Scope) -> tuple[int, Scope] | None:
        loop = self.definition.nodes[body.owner]
        assert isinstance(loop, LoopNode)
        turn = self.turns[-1]
        capped = turn + 1 >= loop.max_iterations
        if self.verdict is not Verdict.DONE and not capped:
            self.turns = (*self.turns[:-1], turn + 1)
            return body.first, body
        if self.verdict is not Verdict.DONE and loop.on_max is OnMax.FAIL:
            self._stop_at_cap(loop)
            return None
        self.turns = self.turns[:-1]
        self._bind(body)
        return self._past_owner(body)

    def _stop_at_cap(self, loop: LoopNode) -> None:
        error = ErrorRecord(
            path=loop.path,
            type="LoopLimitError",
            message=f"loop {loop.path!r} reached max_iterations={loop.max_iterations} without "
            f"LoopResult.done(...); raise the cap and retry, or pass on_max='exit_with_last'",
        )
        # Between two turns: after a retry the cap is judged again, and no recorded turn re-runs.
        self.effects.append(Move(loop.ordinal, self.turns, self.value, loop.group, loop.priority))
        self.effects.append(Fail(error))

    def _bind(self, scope: Scope) -> None:
        self.effects.append(Bind(scope.ordinal, self.turns, self.value))

    def _past_owner(self, scope: Scope) -> tuple[int, Scope]:
        owner = self.definition.nodes[scope.owner]
        return owner.next, self.definition.scopes[owner.scope]

    def _key_node(self, arm: Scope) -> TaskNode:
        route = self.definition.nodes[arm.owner]
        assert isinstance(route, RouteNode)
        return self.definition.task(self.definition.scopes[route.key_scope].first)

    # Entering a node: where to go on, None if the walk ends here.

    def _enter(self, ordinal: int) -> tuple[int, Scope] | None:
        node = self.definition.nodes[ordinal]
        scopes = self.definition.scopes
        match node:
            case TaskNode():
                self._move(node)
                return None
            case ForkNode():
                self._fork(node)
                return None
            case RouteNode():
                key = scopes[node.key_scope]
                return key.first, key
            case LoopNode():
                self.turns = (*self.turns, 0)
                body = scopes[node.body]
                return body.first, body
            case ChildNode():
                child = scopes[node.child]
                return child.first, child
            case DelayNode():
                return self._delay(node)
            case SignalNode():
                self._move(node)
                self.effects.append(AwaitSignal(node.signal_name, node.timeout))
                return None
            case _:
                assert_never(node)

    def _move(self, node: Node) -> None:
        self.effects.append(Move(node.ordinal, self.turns, self.value, node.group, node.priority))

    def _delay(self, node: DelayNode) -> tuple[int, Scope] | None:
        if node.duration > _NO_DELAY:
            self._move(node)
            self.effects.append(Sleep(self.now + node.duration))
            return None
        self.effects.append(Record(passed_through(node, self.turns, self.value)))
        return node.next, self.definition.scopes[node.scope]

    def _fork(self, fork: ForkNode) -> None:
        definition = self.definition
        join = definition.task(fork.next)
        gathered = JoinRef(fork.first_branch, fork.branch_count, self.turns)
        self.effects.append(Move(join.ordinal, self.turns, gathered, join.group, join.priority))
        branches = definition.scopes[fork.first_branch : fork.first_branch + fork.branch_count]
        children = tuple(self._child(branch) for branch in branches)
        self.effects.append(Spawn(children, self.value))

    def _child(self, branch: Scope) -> Child:
        first = self.definition.nodes[branch.first]
        return Child(branch.ordinal, first.ordinal, self.turns, first.group, first.priority)


def passed_through(node: DelayNode, turns: Index, value: Ref) -> StepRecord:
    """Return the record of a delay: it has no output of its own, only a source."""
    return StepRecord(
        node=node.ordinal, turns=turns, attempt=1, status=StepStatus.SUCCEEDED, source=value
    )
