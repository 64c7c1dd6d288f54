"""The definition as a whole: what the engine walks, what a store keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sayiir_core.ids import WorkflowId
from sayiir_core.workflow.node import Node, Scope, TaskNode


class DefinitionIdentity(NamedTuple):
    """Name one structure of one workflow; claims and every mismatch check use both parts."""

    workflow_id: WorkflowId
    structure_hash: str

    def __str__(self) -> str:
        return f"{self.workflow_id}@{self.structure_hash[:12]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """An immutable workflow as data.

    ``nodes[i].ordinal == i`` and ``scopes[i].ordinal == i``. ``policy_fingerprint`` covers what
    may be tuned (timeouts, retries, delay lengths, caps, priorities, tags); the structure hash
    covers everything else that a stored cursor relies on. ``metadata`` is JSON text.
    """

    workflow_id: WorkflowId
    structure_hash: str
    policy_fingerprint: str
    nodes: tuple[Node, ...]
    scopes: tuple[Scope, ...]
    metadata: str | None = None

    @property
    def identity(self) -> DefinitionIdentity:
        """Return the workflow id with the structure hash."""
        return DefinitionIdentity(self.workflow_id, self.structure_hash)

    def task(self, ordinal: int) -> TaskNode:
        """Return the node if it is a task; ``TypeError`` tells of a caller's mistake."""
        node = self.nodes[ordinal]
        if not isinstance(node, TaskNode):
            raise TypeError(f"node {node.path!r} is a {type(node).__name__}, not a task")
        return node
