"""What ``Workflow.iter_nodes`` tells about each node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sayiir_core.policy import RetryPolicy
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.node import (
    END,
    NO_OWNER,
    ChildNode,
    DelayNode,
    ForkNode,
    LoopNode,
    Node,
    RouteNode,
    SignalNode,
    TaskNode,
)

_KINDS: Final[dict[type[Node], str]] = {
    TaskNode: "task",
    ForkNode: "fork",
    DelayNode: "delay",
    SignalNode: "await_signal",
    RouteNode: "branch",
    LoopNode: "loop",
    ChildNode: "child_workflow",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInfo:
    """One node of a workflow.

    ``kind`` is ``task``, ``fork``, ``delay``, ``await_signal``, ``branch`` (a route), ``loop`` or
    ``child_workflow``. ``predecessor_id`` is the node before, the enclosing one for the first of
    a scope, None for the very first. ``timeout_secs`` is a task's limit, a delay's length or a
    signal's deadline. ``retry_policy`` and ``priority`` are those of a task, else None.
    """

    id: str
    path: str
    kind: str
    predecessor_id: str | None
    timeout_secs: float | None = None
    retry_policy: RetryPolicy | None = None
    priority: int | None = None


def node_infos(definition: Definition) -> Iterator[NodeInfo]:
    """Yield each node in declaration order; key functions belong to their route."""
    before: dict[int, str] = {}
    for node in definition.nodes:
        if node.next != END:
            before[node.next] = node.id
        if isinstance(node, TaskNode) and node.is_key:
            continue
        owner = definition.scopes[node.scope].owner
        enclosing = None if owner == NO_OWNER else definition.nodes[owner].id
        yield _info(node, before.get(node.ordinal, enclosing))


def _info(node: Node, predecessor: str | None) -> NodeInfo:
    task = node if isinstance(node, TaskNode) else None
    length = _length(node)
    return NodeInfo(
        id=node.id,
        path=node.path,
        kind=_KINDS[type(node)],
        predecessor_id=predecessor,
        timeout_secs=None if length is None else length.total_seconds(),
        retry_policy=None if task is None else task.policy.retry,
        priority=None if task is None else task.priority,
    )


def _length(node: Node) -> timedelta | None:
    match node:
        case TaskNode():
            return node.policy.timeout
        case DelayNode():
            return node.duration
        case SignalNode():
            return node.timeout
        case _:
            return None
