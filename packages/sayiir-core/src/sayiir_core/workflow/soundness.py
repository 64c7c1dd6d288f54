"""Soundness: what must hold between nodes and scopes, so that the engine can trust a definition.

Every walk of the engine follows ``next``, ``first`` and owners. They are checked to lead forward
and into the right scope, so whatever bytes a store returns, a walk ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from sayiir_core.errors import DeserializationError
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.node import (
    END,
    NO_OWNER,
    ROOT,
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

_Claims = dict[int, tuple[int, ScopeKind]]


def check_sound(definition: Definition) -> None:
    """Raise ``DeserializationError`` that names the first node or scope that does not fit."""
    if not definition.nodes or not definition.scopes:
        raise DeserializationError("a stored definition has no nodes")
    claims: _Claims = {}
    for position, node in enumerate(definition.nodes):
        if not (_stands(definition, node, position) and _claims_scopes(definition, node, claims)):
            raise _unsound(f"node {position}", node.path)
    for position, scope in enumerate(definition.scopes):
        if not _encloses(definition, scope, position, claims):
            raise _unsound(f"scope {position}", scope.path)
    for node in definition.nodes:
        if not _refers(definition, node):
            raise _unsound(f"node {node.ordinal}", node.path)


def _unsound(what: str, path: str) -> DeserializationError:
    return DeserializationError(f"{what} ({path[:200]!r}) of a stored definition does not fit in")


def _stands(definition: Definition, node: Node, position: int) -> bool:
    nodes = definition.nodes
    if node.ordinal != position or not 0 <= node.scope < len(definition.scopes):
        return False
    if node.next == END:
        return True
    return position < node.next < len(nodes) and nodes[node.next].scope == node.scope


def _claims_scopes(definition: Definition, node: Node, claims: _Claims) -> bool:
    count = len(definition.scopes)
    for first, length, kind in _owned(node):
        # Owned scopes come later than the owner's own, which makes every way outwards end.
        if not (node.scope < first and length >= 1 and first + length <= count):
            return False
        for ordinal in range(first, first + length):
            if ordinal in claims:
                return False
            claims[ordinal] = (node.ordinal, kind)
    return True


def _owned(node: Node) -> Iterator[tuple[int, int, ScopeKind]]:
    match node:
        case ForkNode():
            yield node.first_branch, node.branch_count, ScopeKind.BRANCH
        case RouteNode():
            yield node.key_scope, 1, ScopeKind.KEY
            if node.keys:
                yield node.first_arm, len(node.keys), ScopeKind.ARM
            if node.default_arm is not None:
                yield node.default_arm, 1, ScopeKind.ARM
        case LoopNode():
            yield node.body, 1, ScopeKind.BODY
        case ChildNode():
            yield node.child, 1, ScopeKind.CHILD
        case TaskNode() | DelayNode() | SignalNode():
            pass
        case _:
            assert_never(node)


def _encloses(definition: Definition, scope: Scope, position: int, claims: _Claims) -> bool:
    nodes = definition.nodes
    if scope.ordinal != position or not 0 <= scope.first < len(nodes):
        return False
    if nodes[scope.first].scope != position:
        return False
    if position == ROOT:
        shape = (scope.kind, scope.owner, scope.depth, scope.line, scope.line_depth)
        return shape == (ScopeKind.ROOT, NO_OWNER, 0, ROOT, 0)
    if claims.get(position) != (scope.owner, scope.kind):
        return False
    outer = definition.scopes[nodes[scope.owner].scope]
    depth = outer.depth + (scope.kind is ScopeKind.BODY)
    line = (outer.line, outer.line_depth)
    if scope.kind is ScopeKind.BRANCH:
        line = (position, depth)
    return (scope.depth, scope.line, scope.line_depth) == (depth, *line)


def _refers(definition: Definition, node: Node) -> bool:
    nodes, scopes = definition.nodes, definition.scopes
    match node:
        case TaskNode():
            if node.is_key != (scopes[node.scope].kind is ScopeKind.KEY):
                return False
            if node.is_key and node.next != END:
                return False
            return node.loop is None or _is_loop(definition, node.loop)
        case ForkNode():
            join = nodes[node.next]
            return node.next != END and isinstance(join, TaskNode) and join.is_join
        case RouteNode():
            key = nodes[scopes[node.key_scope].first]
            return isinstance(key, TaskNode) and bool(node.keys or node.default_arm is not None)
        case LoopNode():
            return node.max_iterations >= 1
        case DelayNode() | SignalNode() | ChildNode():
            return True
        case _:
            assert_never(node)


def _is_loop(definition: Definition, ordinal: int) -> bool:
    nodes = definition.nodes
    return 0 <= ordinal < len(nodes) and isinstance(nodes[ordinal], LoopNode)
