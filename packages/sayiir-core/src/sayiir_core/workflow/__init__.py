"""The workflow as data: nodes, scopes, identity, document form and lookup."""

from sayiir_core.workflow.definition import Definition, DefinitionIdentity
from sayiir_core.workflow.document import (
    decode_definition,
    encode_definition,
    from_document,
    to_document,
)
from sayiir_core.workflow.group import group_of, tags_in
from sayiir_core.workflow.identity import policy_fingerprint, structure_hash
from sayiir_core.workflow.lookup import Found, find, index_depth
from sayiir_core.workflow.node import (
    DEFAULT_PRIORITY,
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
    TaskPolicy,
)

__all__ = [
    "DEFAULT_PRIORITY",
    "END",
    "NO_OWNER",
    "ROOT",
    "ChildNode",
    "Definition",
    "DefinitionIdentity",
    "DelayNode",
    "ForkNode",
    "Found",
    "LoopNode",
    "Node",
    "RouteNode",
    "Scope",
    "ScopeKind",
    "SignalNode",
    "TaskNode",
    "TaskPolicy",
    "decode_definition",
    "encode_definition",
    "find",
    "from_document",
    "group_of",
    "index_depth",
    "policy_fingerprint",
    "structure_hash",
    "tags_in",
    "to_document",
]
