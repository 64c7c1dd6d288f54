"""Reading what an instance did: its status, and the value of any of its nodes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from sayiir_core.engine.explain import Explanation, explain
from sayiir_core.errors import BackendError
from sayiir_core.ids import Index, InstanceId, check_instance_id
from sayiir_core.ports.backend import Backend
from sayiir_core.snapshot.head import Head, InstanceState
from sayiir_core.snapshot.reference import Ref, RoutedRef, StepRef
from sayiir_core.snapshot.step import StepRow, StepStatus
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.lookup import Found, find
from sayiir_core.workflow.node import (
    ChildNode,
    ForkNode,
    LoopNode,
    Node,
    RouteNode,
    Scope,
)
from sayiir_runtime.codec import PayloadCodec
from sayiir_runtime.payloads import convert_to
from sayiir_runtime.runner.input import InputReader
from sayiir_runtime.status import WorkflowStatus, describe_status

T = TypeVar("T")


class TaskState(StrEnum):
    """How far a node has come."""

    ABSENT = "absent"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """What is recorded of a node: its last attempt, and its value once it has one.

    ``turns`` are the loop turns that the record belongs to, outermost first.
    """

    path: str
    state: TaskState
    value: Any = None
    attempts: int = 0
    turns: Index = ()
    error: str | None = None
    error_traceback: str | None = None

    def value_as(self, kind: type[T]) -> T:
        """Validate the value into a type."""
        return convert_to(self.value, kind)


class Observer:
    """Read instances of a backend."""

    def __init__(self, backend: Backend, codec: PayloadCodec) -> None:
        self._backend = backend
        self._codec = codec

    def status(self, instance_id: str, definition: Definition | None = None) -> WorkflowStatus:
        """Return the status; raises ``InstanceNotFoundError``."""
        head = self._backend.instances.load(check_instance_id(instance_id))
        return self.status_of_head(head, definition)

    def status_of_head(self, head: Head, definition: Definition | None) -> WorkflowStatus:
        """Return the status of a head that was just loaded."""
        header = head.header
        output: Any = None
        if definition is None and header.state is InstanceState.RUNNING:
            # Only what is parked has nodes to name.
            definition = self._definition(head)
        if header.state is InstanceState.COMPLETED and header.output is not None:
            output = self._reader(head, definition).value(header.output)
        return describe_status(head, definition, now=self._backend.now(), output=output)

    def explain(self, instance_id: str) -> list[Explanation]:
        """Return why an instance does not move; raises ``InstanceNotFoundError``."""
        return self.explain_head(self._backend.instances.load(check_instance_id(instance_id)))

    def explain_head(self, head: Head) -> list[Explanation]:
        """Explain a head that was just loaded, with the sessions that are alive now."""
        sessions = {view.session_id: view for view in self._backend.sessions.live()}
        return explain(head, self._definition(head), now=self._backend.now(), sessions=sessions)

    def task(self, instance_id: str, name: str) -> TaskResult:
        """Return what is recorded of a node, by its path or any unambiguous suffix of it.

        In loops that is the last turn; ``name[2]`` names turn 2, counted from 0. Raises
        ``InstanceNotFoundError``, and ``WorkflowError`` for an unknown or ambiguous name.
        """
        head = self._backend.instances.load(check_instance_id(instance_id))
        definition = self._definition(head)
        if definition is None:
            raise BackendError(
                f"instance {instance_id!r}: the store has no definition {head.header.identity}",
                instance_id=instance_id,
            )
        return _Lookup(self._backend, self._reader(head, definition), head, definition).task(
            find(definition, name)
        )

    def _definition(self, head: Head) -> Definition | None:
        return self._backend.definitions.find(head.header.identity)

    def _reader(self, head: Head, definition: Definition | None) -> InputReader:
        header = head.header
        return InputReader(
            self._backend.results, self._codec, definition, header.instance_id, header.run_id
        )


class _Lookup:
    """One question about one instance."""

    def __init__(
        self, backend: Backend, reader: InputReader, head: Head, definition: Definition
    ) -> None:
        self._results = backend.results
        self._reader = reader
        self._run_id = head.header.run_id
        self._instance_id: InstanceId = head.header.instance_id
        self._definition = definition

    def task(self, found: Found) -> TaskResult:
        if isinstance(found.target, Scope):
            turns = self._turns(found.target.first, found.turns)
            return self._scope(found.target, turns)
        node = found.target
        turns = self._turns(node.ordinal, found.turns)
        match node:
            case ForkNode():
                return self._step(self._definition.nodes[node.next], turns, node.path)
            case RouteNode():
                return self._route(node, turns)
            case LoopNode():
                return self._scope(self._definition.scopes[node.body], turns)
            case ChildNode():
                return self._scope(self._definition.scopes[node.child], turns)
            case _:
                return self._step(node, turns, node.path)

    def _turns(self, ordinal: int, selected: Index) -> Index:
        """Return the turns asked for, completed by the last ones that have a record."""
        node = self._definition.nodes[ordinal]
        depth = self._definition.scopes[node.scope].depth
        if len(selected) >= depth:
            return selected[:depth]
        recorded = self._recorded(ordinal)
        last = self._results.last_turn(self._run_id, recorded, selected)
        return selected if last is None else last[:depth]

    def _recorded(self, ordinal: int) -> int:
        """Return the first node that leaves records where a node, maybe a composite, is entered."""
        nodes, scopes = self._definition.nodes, self._definition.scopes
        while True:
            match nodes[ordinal]:
                case ForkNode(next=join):
                    ordinal = join
                case RouteNode(key_scope=scope) | LoopNode(body=scope) | ChildNode(child=scope):
                    ordinal = scopes[scope].first
                case _:
                    return ordinal

    def _step(self, node: Node, turns: Index, path: str) -> TaskResult:
        row = self._results.step(self._run_id, node.ordinal, turns)
        if row is None:
            return TaskResult(path=path, state=TaskState.ABSENT, turns=turns)
        record = row.record
        value = self._value_of(row)
        return TaskResult(
            path=path,
            state=TaskState(record.status.value),
            value=value,
            attempts=record.attempt,
            turns=turns,
            error=None if record.error is None else record.error.text,
            error_traceback=None if record.error is None else record.error.traceback,
        )

    def _value_of(self, row: StepRow) -> Any:
        record = row.record
        if record.status is not StepStatus.SUCCEEDED:
            return None
        if record.source is not None:
            return self._reader.value(record.source)
        return self._reader.value(StepRef(record.node, record.turns))

    def _scope(self, scope: Scope, turns: Index) -> TaskResult:
        owner = self._definition.nodes[scope.owner]
        depth = self._definition.scopes[owner.scope].depth
        path = scope.path
        ref = self._results.scope(self._run_id, scope.ordinal, turns[:depth])
        return self._composite(path, ref, turns[:depth])

    def _composite(self, path: str, ref: Ref | None, turns: Index) -> TaskResult:
        if ref is None:
            return TaskResult(path=path, state=TaskState.ABSENT, turns=turns)
        value = self._reader.value(ref)
        return TaskResult(
            path=path, state=TaskState.SUCCEEDED, value=value, attempts=1, turns=turns
        )

    def _route(self, route: RouteNode, turns: Index) -> TaskResult:
        key = self._step(self._key_node(route), turns, route.path)
        arm = route.arm(key.value) if key.state is TaskState.SUCCEEDED else None
        ref = None if arm is None else self._results.scope(self._run_id, arm, turns)
        if ref is None:
            return TaskResult(path=route.path, state=TaskState.ABSENT, turns=turns)
        routed = RoutedRef(StepRef(self._key_node(route).ordinal, turns), ref)
        return self._composite(route.path, routed, turns)

    def _key_node(self, route: RouteNode) -> Node:
        return self._definition.nodes[self._definition.scopes[route.key_scope].first]
