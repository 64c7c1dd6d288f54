"""Identity: two hashes, one of what a definition is, one of how it is tuned.

How this works: both hash a canonical form, one JSON array that holds the name and version of the
form and then one array per scope and per node. The structure covers whatever a stored
cursor relies on: ids, kinds, nesting, order, route keys, signal names, task versions. The policy
fingerprint covers what may change under running instances. Names of workflows, metadata,
descriptions and function bodies are in neither.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final, assert_never

from sayiir_core.policy import RetryPolicy
from sayiir_core.workflow.node import (
    ChildNode,
    DelayNode,
    ForkNode,
    LoopNode,
    Node,
    RouteNode,
    Scope,
    SignalNode,
    TaskNode,
    TaskPolicy,
)

STRUCTURE_FORM: Final = "sayiir-structure-1"
POLICY_FORM: Final = "sayiir-policy-1"

_MICROSECOND: Final = timedelta(microseconds=1)


def structure_hash(nodes: Sequence[Node], scopes: Sequence[Scope]) -> str:
    """Return the SHA-256, in hex, of everything that a stored cursor relies on."""
    lines = [_scope_line(scope) for scope in scopes]
    lines.extend(_structure_line(node) for node in nodes)
    return _digest(STRUCTURE_FORM, lines)


def policy_fingerprint(nodes: Sequence[Node]) -> str:
    """Return the SHA-256, in hex, of everything that may be tuned."""
    return _digest(POLICY_FORM, (_policy_line(node) for node in nodes))


def microseconds(length: timedelta | None) -> int | None:
    """Return a length of time as a whole number, which every format keeps exactly."""
    return None if length is None else length // _MICROSECOND


def retry_fields(retry: RetryPolicy | None) -> dict[str, Any] | None:
    """Return a retry policy as JSON-able data."""
    if retry is None:
        return None
    return {
        "max_retries": retry.max_retries,
        "initial_delay_secs": retry.initial_delay_secs,
        "backoff_multiplier": retry.backoff_multiplier,
        "max_delay_us": microseconds(retry.max_delay),
        "jitter": retry.jitter,
        "retry_on": list(retry.retry_on),
        "give_up_on": list(retry.give_up_on),
    }


def _digest(form: str, lines: Iterable[list[Any]]) -> str:
    text = json.dumps([form, *lines], separators=(",", ":"), check_circular=False)
    return sha256(text.encode("ascii")).hexdigest()


def _scope_line(scope: Scope) -> list[Any]:
    return [scope.kind.value, scope.owner, scope.name, scope.first]


def _structure_line(node: Node) -> list[Any]:
    placed = [node.id, node.scope, node.next]
    match node:
        case TaskNode():
            return ["task", *placed, node.version]
        case ForkNode():
            return ["fork", *placed, node.branch_count]
        case RouteNode():
            return ["route", *placed, *node.keys]
        case LoopNode():
            return ["loop", *placed]
        case DelayNode():
            return ["delay", *placed]
        case SignalNode():
            return ["signal", *placed, node.signal_name]
        case ChildNode():
            return ["child", *placed]
        case _:
            assert_never(node)


def _policy_line(node: Node) -> list[Any]:
    match node:
        case TaskNode():
            return _task_line(node.policy, node.group)
        case LoopNode():
            return [node.max_iterations, node.on_max.value]
        case DelayNode():
            return [microseconds(node.duration)]
        case SignalNode():
            return [microseconds(node.timeout), node.on_timeout]
        case ForkNode() | RouteNode() | ChildNode():
            return []
        case _:
            assert_never(node)


def _task_line(policy: TaskPolicy, group: str) -> list[Any]:
    return [microseconds(policy.timeout), retry_fields(policy.retry), policy.priority, group]
