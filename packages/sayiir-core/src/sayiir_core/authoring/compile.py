"""Compile a draft into a workflow, or report everything that is wrong with it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, assert_never

from sayiir_core.authoring.draft import Draft
from sayiir_core.authoring.layout import Layout, NodeSlot, ScopeSlot
from sayiir_core.authoring.plan import (
    ChildElement,
    DelayElement,
    ForkElement,
    LoopElement,
    RouteElement,
    SignalElement,
    TaskElement,
)
from sayiir_core.authoring.workflow import Workflow
from sayiir_core.errors import DefinitionError, DefinitionErrors
from sayiir_core.ids import WorkflowId
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.group import group_of
from sayiir_core.workflow.identity import policy_fingerprint, structure_hash
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
)


def compile_workflow(draft: Draft) -> Workflow[Any, Any]:
    """Return the workflow of a draft, which stays as it is.

    Raises ``DefinitionErrors`` with every problem.
    """
    plan = tuple(draft.elements)
    layout = Layout(plan)
    problems = [*draft.problems, *_unfinished(draft), *layout.problems]
    if problems:
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise DefinitionErrors(f"workflow {draft.name!r} has {count}:", problems)
    nodes = tuple(_node(slot) for slot in layout.nodes)
    scopes = tuple(_scope(slot) for slot in layout.scopes)
    assert draft.name is not None
    definition = Definition(
        workflow_id=WorkflowId(draft.name),
        structure_hash=structure_hash(nodes, scopes),
        policy_fingerprint=policy_fingerprint(nodes),
        nodes=nodes,
        scopes=scopes,
        metadata=draft.metadata,
    )
    elements = [slot.element for slot in layout.nodes]
    tasks = [(o, element) for o, element in enumerate(elements) if isinstance(element, TaskElement)]
    return Workflow(
        definition=definition,
        functions=tuple(e.function if isinstance(e, TaskElement) else None for e in elements),
        payload_types=MappingProxyType(
            {
                ordinal: element.payload
                for ordinal, element in enumerate(elements)
                if isinstance(element, SignalElement) and element.payload is not None
            }
        ),
        plan=plan,
        codec=draft.codec,
        codecs=MappingProxyType({o: t.codec for o, t in tasks if t.codec is not None}),
        executors=MappingProxyType({o: t.executor for o, t in tasks if t.executor is not None}),
    )


def _unfinished(draft: Draft) -> list[DefinitionError]:
    if draft.unclosed is not None:
        return [DefinitionError(f"build() comes before {draft.unclosed[1]}")]
    if not draft.steps:
        return [DefinitionError("the flow has no steps; add at least one by .then(fn)")]
    return []


def _scope(slot: ScopeSlot) -> Scope:
    return Scope(
        ordinal=slot.ordinal,
        kind=slot.kind,
        owner=slot.owner,
        name=slot.name,
        path=slot.path,
        first=slot.first,
        depth=slot.depth,
        line=slot.line,
        line_depth=slot.line_depth,
    )


def _node(slot: NodeSlot) -> Node:
    element = slot.element
    placed: dict[str, Any] = {
        "ordinal": slot.ordinal,
        "id": element.id,
        "path": slot.path,
        "scope": slot.scope,
        "next": slot.next,
    }
    match element:
        case TaskElement():
            return _task(slot, element, placed)
        case ForkElement():
            count = len(element.branches)
            return ForkNode(**placed, first_branch=slot.owned, branch_count=count)
        case RouteElement():
            return _route(slot, element, placed)
        case LoopElement():
            return LoopNode(
                **placed,
                body=slot.owned,
                max_iterations=element.max_iterations,
                on_max=element.on_max,
            )
        case DelayElement():
            return DelayNode(**placed, duration=element.duration)
        case SignalElement():
            return SignalNode(
                **placed,
                signal_name=element.signal_name,
                timeout=element.timeout,
                on_timeout=element.on_timeout,
            )
        case ChildElement():
            return ChildNode(**placed, child=slot.owned)
        case _:
            assert_never(element)


def _task(slot: NodeSlot, element: TaskElement, placed: dict[str, Any]) -> TaskNode:
    return TaskNode(
        **placed,
        reference=element.reference,
        version=element.version,
        policy=element.policy,
        group=group_of(element.policy.tags),
        loop=slot.loop,
        is_key=element.is_key,
        is_join=element.is_join,
    )


def _route(slot: NodeSlot, element: RouteElement, placed: dict[str, Any]) -> RouteNode:
    # Its scopes are numbered in this order: the key function, the arms, the default arm.
    first_arm = slot.owned + 1
    return RouteNode(
        **placed,
        key_scope=slot.owned,
        keys=tuple(arm.name for arm in element.arms),
        first_arm=first_arm,
        default_arm=None if element.default is None else first_arm + len(element.arms),
    )
