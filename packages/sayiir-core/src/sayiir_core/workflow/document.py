"""The document form of a definition: what a store keeps and any tool can draw.

``encode_definition`` and ``decode_definition`` are exact inverses. Lengths of time are whole
microseconds, retry filters are qualified class names, absent fields are null. A reader refuses a
newer version, so a version changes only with the meaning of a field, not with a new one.
"""

from __future__ import annotations

import json
from typing import Any, Final, assert_never

from sayiir_core.errors import DeserializationError, UnsupportedVersionError
from sayiir_core.ids import WorkflowId
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.fields import Fields
from sayiir_core.workflow.identity import microseconds, retry_fields
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
from sayiir_core.workflow.reading import NodeKind, read_node, read_scope
from sayiir_core.workflow.soundness import check_sound

FORMAT: Final = "sayiir-definition"
VERSION: Final = 1


def encode_definition(definition: Definition) -> str:
    """Return the document as JSON text, ASCII only."""
    return json.dumps(to_document(definition), separators=(",", ":"))


def decode_definition(text: str | bytes) -> Definition:
    """Return the definition that a document describes.

    Raises ``UnsupportedVersionError`` for a newer document and ``DeserializationError`` for
    anything that is no sound definition.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DeserializationError(f"a stored definition is not JSON: {error}") from error
    return from_document(document)


def to_document(definition: Definition) -> dict[str, Any]:
    """Return the document as JSON-able data."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "workflow_id": definition.workflow_id,
        "structure_hash": definition.structure_hash,
        "policy_fingerprint": definition.policy_fingerprint,
        "metadata": definition.metadata,
        "scopes": [_scope_document(scope) for scope in definition.scopes],
        "nodes": [_node_document(node) for node in definition.nodes],
    }


def from_document(document: object) -> Definition:
    """Invert ``to_document``; raises as ``decode_definition``."""
    top = Fields.of(document, "a stored definition")
    if top.text("format") != FORMAT:
        top.bad("format", repr(FORMAT))
    version = top.number("version")
    if version > VERSION:
        raise UnsupportedVersionError(
            f"a stored definition has version {version}, this release reads up to {VERSION}; "
            f"upgrade sayiir"
        )
    definition = Definition(
        workflow_id=WorkflowId(top.text("workflow_id")),
        structure_hash=top.text("structure_hash"),
        policy_fingerprint=top.text("policy_fingerprint"),
        metadata=top.text_or_none("metadata"),
        scopes=tuple(read_scope(item) for item in top.records("scopes")),
        nodes=tuple(read_node(item) for item in top.records("nodes")),
    )
    check_sound(definition)
    return definition


def _scope_document(scope: Scope) -> dict[str, Any]:
    return {
        "ordinal": scope.ordinal,
        "kind": scope.kind.value,
        "owner": scope.owner,
        "name": scope.name,
        "path": scope.path,
        "first": scope.first,
        "depth": scope.depth,
        "line": scope.line,
        "line_depth": scope.line_depth,
    }


def _node_document(node: Node) -> dict[str, Any]:
    kind, particulars = _particulars(node)
    return {
        "kind": kind.value,
        "ordinal": node.ordinal,
        "id": node.id,
        "path": node.path,
        "scope": node.scope,
        "next": node.next,
        **particulars,
    }


def _particulars(node: Node) -> tuple[NodeKind, dict[str, Any]]:
    match node:
        case TaskNode():
            return NodeKind.TASK, _task_document(node)
        case ForkNode():
            return NodeKind.FORK, {
                "first_branch": node.first_branch,
                "branch_count": node.branch_count,
            }
        case RouteNode():
            return NodeKind.ROUTE, {
                "key_scope": node.key_scope,
                "keys": list(node.keys),
                "first_arm": node.first_arm,
                "default_arm": node.default_arm,
            }
        case LoopNode():
            return NodeKind.LOOP, {
                "body": node.body,
                "max_iterations": node.max_iterations,
                "on_max": node.on_max.value,
            }
        case DelayNode():
            return NodeKind.DELAY, {"duration_us": microseconds(node.duration)}
        case SignalNode():
            return NodeKind.SIGNAL, {
                "signal_name": node.signal_name,
                "timeout_us": microseconds(node.timeout),
                "on_timeout": node.on_timeout,
            }
        case ChildNode():
            return NodeKind.CHILD, {"child": node.child}
        case _:
            assert_never(node)


def _task_document(node: TaskNode) -> dict[str, Any]:
    return {
        "reference": node.reference,
        "task_version": node.version,
        "group": node.group,
        "loop": node.loop,
        "is_key": node.is_key,
        "is_join": node.is_join,
        "policy": _policy_document(node.policy),
    }


def _policy_document(policy: TaskPolicy) -> dict[str, Any]:
    return {
        "timeout_us": microseconds(policy.timeout),
        "retry": retry_fields(policy.retry),
        "priority": policy.priority,
        "tags": list(policy.tags),
        "display_name": policy.display_name,
        "description": policy.description,
    }
