"""Which functions a workflow calls here: its own, or what stubs and spies put in their place.

How this works: a workflow is data beside functions, and a program binds the two. A stub stands in
a program of this engine alone, at the body of a task; the workflow, its module and every other
program stay as they are. The body keeps what the task's own signature says of its values, so they
are encoded and decoded as in production.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sayiir_core.authoring import Workflow
from sayiir_core.errors import NodeLookupError
from sayiir_core.workflow.lookup import find
from sayiir_core.workflow.node import TaskNode
from sayiir_pytest.engine.stub import Spy, Stub
from sayiir_runtime.codec import PayloadCodec
from sayiir_runtime.runner.program import Program, TaskBody

Target = str | Callable[..., Any]
"""A task by its path (or an unambiguous end of it), or by its function."""

AnyWorkflow = Workflow[Any, Any]


class Binding(NamedTuple):
    """One stub or spy, and what it stands at; ``only`` if it is meant for one workflow alone."""

    target: Target
    spy: Spy
    only: AnyWorkflow | None = None


class BoundProgram(Program):
    """A workflow with its bodies, some of which call something else than the workflow says."""

    def __init__(
        self, workflow: AnyWorkflow, codec: PayloadCodec, spies: dict[int, list[Spy]]
    ) -> None:
        # Virtual time is kept by one thread, so that is where every body runs.
        super().__init__(replace(workflow, executors={}), codec)
        self.workflow = workflow
        self._spies = spies
        self._bound: dict[int, TaskBody] = {}

    def body(self, ordinal: int) -> TaskBody:
        """Return the body of a task node."""
        bound = self._bound.get(ordinal)
        if bound is None:
            bound = super().body(ordinal)
            for spy in self._spies.get(ordinal, ()):
                bound = replace(bound, function=spy.wrap(bound))
            self._bound[ordinal] = bound
        return bound

    @property
    def is_async(self) -> bool:
        """Tell whether any task is a coroutine function."""
        return any(
            self.body(node.ordinal).is_async
            for node in self.definition.nodes
            if isinstance(node, TaskNode)
        )

    def stub(self, ordinal: int) -> Stub | None:
        """Return the stub that stands at a task, None if there is none."""
        stubs = [spy for spy in self._spies.get(ordinal, ()) if isinstance(spy, Stub)]
        return stubs[-1] if stubs else None


def bind(
    workflows: Iterable[AnyWorkflow], codec: PayloadCodec, bindings: Sequence[Binding]
) -> list[BoundProgram]:
    """Return programs of workflows with the stubs and spies that fit them.

    Of two stubs at one task the later one counts; spies see whatever is called. Raises
    ``StubError`` for one that does not fit its task, ``NodeLookupError`` for one that names no
    task of any of the workflows, or several tasks of one by one path.
    """
    known = list(workflows)
    spies: list[dict[int, list[Spy]]] = [{} for _ in known]
    plain = [BoundProgram(workflow, codec, {}) for workflow in known]
    for binding in sorted(bindings, key=lambda one: not isinstance(one.spy, Stub)):
        for position, nodes in enumerate(_places(binding, known)):
            for node in nodes:
                binding.spy.check(plain[position].body(node.ordinal))
                spies[position].setdefault(node.ordinal, []).append(binding.spy)
    return [BoundProgram(*each) for each in zip(known, [codec] * len(known), spies, strict=True)]


def _places(binding: Binding, workflows: list[AnyWorkflow]) -> list[list[TaskNode]]:
    """Return the tasks at which a binding stands in each workflow; there is at least one."""
    places: list[list[TaskNode]] = []
    why: NodeLookupError | None = None
    for workflow in workflows:
        places.append([])
        if binding.only is not None and not _is_same(binding.only, workflow):
            continue
        try:
            places[-1] = tasks_of(workflow, binding.target)
        except NodeLookupError as error:
            if len(_endings(error.candidates, binding.target)) > 1:
                raise
            why = error
    if why is not None and not any(places):
        raise why
    return places


def _is_same(one: AnyWorkflow, other: AnyWorkflow) -> bool:
    # By what they are and not by which object: tests often build a workflow anew.
    return one.definition.identity == other.definition.identity


def _endings(paths: Iterable[str], target: Target) -> list[str]:
    return [path for path in paths if path.endswith(f"/{target}")]


def tasks_of(workflow: AnyWorkflow, target: Target) -> list[TaskNode]:
    """Return the tasks that a target names: all that call a function, or the one of a path.

    Raises ``NodeLookupError`` that lists candidates if there is none, or if a path names several.
    """
    definition = workflow.definition
    if isinstance(target, str):
        node = find(definition, target).target
        if not isinstance(node, TaskNode):
            raise NodeLookupError(
                f"{target!r} names {node.path!r} of workflow {workflow.workflow_id!r}, which calls "
                f"no function; its tasks are {_listed(workflow)}",
                candidates=_paths(workflow),
            )
        return [node]
    calling = [
        definition.task(ordinal)
        for ordinal, function in enumerate(workflow.functions)
        if function is not None and (function is target or function == target)
    ]
    if not calling:
        name = getattr(target, "__qualname__", repr(target))
        raise NodeLookupError(
            f"no task of workflow {workflow.workflow_id!r} calls {name}; its tasks are "
            f"{_listed(workflow)}",
            candidates=_paths(workflow),
        )
    return calling


def _paths(workflow: AnyWorkflow) -> list[str]:
    return [node.path for node in workflow.definition.nodes if isinstance(node, TaskNode)]


def _listed(workflow: AnyWorkflow) -> str:
    return ", ".join(map(repr, _paths(workflow))) or "none"
