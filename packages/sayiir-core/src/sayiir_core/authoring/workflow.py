"""A workflow: a definition, and the functions that its tasks call."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, TypeGuard

from sayiir_core.authoring.generic import In_contra, Out_co
from sayiir_core.authoring.node_info import NodeInfo, node_infos
from sayiir_core.authoring.options import CodecChoice
from sayiir_core.authoring.plan import Element
from sayiir_core.workflow.definition import Definition


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Workflow(Generic[In_contra, Out_co]):
    """An immutable workflow that takes an ``In`` and gives an ``Out``; made by ``Flow.build()``.

    ``functions`` and ``payload_types`` are by ordinal: the function of each task, None for other
    nodes, and the declared payload type of each signal that has one. ``plan`` is what embedding
    this workflow in another one copies. ``codec`` writes the values of a run, ``codecs`` by ordinal
    what a task returns that has another one. ``executors`` by ordinal names where a task runs that
    runs neither in a thread nor on a loop. None of these is a part of the definition: every payload
    names its codec, and a step does not tell where it ran, so instances in flight don't mind a change.
    """

    definition: Definition
    functions: tuple[Callable[..., Any] | None, ...] = field(repr=False)
    payload_types: Mapping[int, Any] = field(repr=False)
    plan: tuple[Element, ...] = field(repr=False)
    codec: CodecChoice | None = field(default=None, repr=False)
    codecs: Mapping[int, CodecChoice] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )
    executors: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    @property
    def workflow_id(self) -> str:
        """Return the name of the flow."""
        return self.definition.workflow_id

    @property
    def definition_hash(self) -> str:
        """Return the structure hash: what stored instances rely on, not how it is tuned."""
        return self.definition.structure_hash

    @property
    def metadata(self) -> dict[str, Any] | None:
        """Return a fresh copy of the metadata, None if none was given."""
        text = self.definition.metadata
        return None if text is None else json.loads(text)

    def iter_nodes(self) -> list[NodeInfo]:
        """Return every node, also nested ones, in declaration order."""
        return list(node_infos(self.definition))

    def function(self, ordinal: int) -> Callable[..., Any]:
        """Return the function of a task; ``TypeError`` for another kind of node."""
        fn = self.functions[ordinal]
        if fn is None:
            raise TypeError(f"node {self.definition.nodes[ordinal].path!r} calls no function")
        return fn

    def __repr__(self) -> str:
        return f"<Workflow {self.definition.identity}: {len(self.definition.nodes)} nodes>"


def is_workflow(value: object) -> TypeGuard[Workflow[Any, Any]]:
    """Say whether a value is a built workflow."""
    return isinstance(value, Workflow)
