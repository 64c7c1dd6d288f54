"""The draft of a flow: what its builders have collected, and every problem so far.

Builders never raise for a bad step. They note the problem and go on without the step, so that
``build()`` can report all of them at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, cast

from sayiir_core.authoring.names import KEY, LAMBDA, Numbering, check_segment
from sayiir_core.authoring.options import CodecChoice, check_codec, options_of
from sayiir_core.authoring.plan import ChildElement, Element, Line, TaskElement
from sayiir_core.authoring.registry import TaskRegistry
from sayiir_core.authoring.signature import objection_to, reference_to
from sayiir_core.authoring.workflow import Workflow, is_workflow
from sayiir_core.errors import DefinitionError
from sayiir_core.ids import check_name
from sayiir_core.workflow.node import ScopeKind


class Draft:
    """Elements, numbering, problems, and the fork or route that is not closed yet."""

    __slots__ = (
        "codec",
        "elements",
        "metadata",
        "name",
        "numbering",
        "problems",
        "registry",
        "steps",
        "unclosed",
    )

    def __init__(
        self,
        name: object,
        metadata: object,
        registry: TaskRegistry | None,
        codec: object = None,
    ) -> None:
        self.registry = registry
        self.elements: list[Element] = []
        self.problems: list[DefinitionError] = []
        self.numbering = Numbering()
        self.steps = 0
        self.unclosed: tuple[object, str] | None = None
        self.name = self._check(name, _flow_name)
        self.metadata = self._check(metadata, _metadata_text)
        self.codec: CodecChoice | None = None
        try:
            self.codec = check_codec(codec, "Flow")
        except DefinitionError as problem:
            self.problems.append(problem)

    def note(self, where: str, text: object) -> None:
        """Keep a problem for ``build()``."""
        self.problems.append(DefinitionError(f"{where}: {text}"))

    def step(self, method: str) -> str:
        """Begin a step, which nothing open may precede; returns how problems name its place."""
        self.steps += 1
        where = f"step {self.steps}, .{method}()"
        if self.unclosed is not None:
            self.note(where, f"comes before {self.unclosed[1]}")
            self.unclosed = None
        return where

    def open(self, builder: object, remedy: str) -> None:
        """Remember a builder that must be closed before the next step."""
        self.unclosed = builder, remedy

    def close(self, builder: object, where: str) -> bool:
        """Say whether this builder is the open one, and close it."""
        if self.unclosed is None or self.unclosed[0] is not builder:
            self.note(where, "was closed already, or the flow went on without it")
            return False
        self.unclosed = None
        return True

    def task(
        self,
        fn: object,
        where: str,
        *,
        name: str | None = None,
        is_join: bool = False,
        is_key: bool = False,
    ) -> TaskElement | None:
        """Return the element for a function or a registered name; None after a problem."""
        try:
            reference, function = self._function(fn)
            options = options_of(function)
            own = name or reference or options.name
            chosen = KEY if is_key else own or self._own_name(function)
            return TaskElement(
                check_segment(chosen, "task id"),
                function,
                reference or reference_to(function),
                options.version,
                options.policy,
                is_join,
                is_key,
                options.codec or self.codec,
                options.executor,
            )
        except DefinitionError as problem:
            self.note(where, problem)
            return None

    def line(
        self,
        kind: ScopeKind,
        parts: Sequence[object],
        where: str,
        *,
        name: str | None = None,
        scope_name: str | None = None,
    ) -> Line | None:
        """Return the line for functions and workflows in a row; None after a problem.

        ``name`` is the id of the first one if it is a function. Without ``scope_name`` the line is
        called by ``name``, or else like the first one.
        """
        if not parts:
            self.note(where, "needs at least one function or workflow")
            return None
        count = len(self.problems)
        elements = self._elements(parts, where, name)
        if scope_name is None:
            scope_name = name or self._name_of_first(parts[0], elements)
        try:
            check_segment(scope_name, "name")
        except DefinitionError as problem:
            self.note(where, problem)
        return Line(kind, scope_name, elements) if len(self.problems) == count else None

    def child(self, workflow: Workflow[Any, Any]) -> ChildElement:
        """Return the element that runs a workflow in place."""
        line = Line(ScopeKind.CHILD, "", workflow.plan)
        return ChildElement(self.numbering.name("child"), line)

    def _check(self, value: object, check: Callable[[object], str | None]) -> str | None:
        try:
            return check(value)
        except DefinitionError as problem:
            self.problems.append(problem)
            return None

    def _elements(
        self, parts: Sequence[object], where: str, name: str | None
    ) -> tuple[Element, ...]:
        if len(parts) == 1 and is_workflow(parts[0]):
            return parts[0].plan
        elements: list[Element] = []
        for position, part in enumerate(parts):
            if is_workflow(part):
                elements.append(self.child(part))
                continue
            task = self.task(part, where, name=None if position else name)
            if task is not None:
                elements.append(task)
        return tuple(elements)

    def _name_of_first(self, first: object, elements: tuple[Element, ...]) -> str:
        if is_workflow(first):
            return first.workflow_id
        return elements[0].id if elements else "?"

    def _function(self, fn: object) -> tuple[str | None, Callable[..., Any]]:
        reference: str | None = None
        if isinstance(fn, str):
            if self.registry is None:
                raise DefinitionError(
                    f"{fn!r} names a registered function; pass Flow(…, registry=TaskRegistry(…))"
                )
            reference, fn = fn, self.registry.resolve(fn)
        if is_workflow(fn):
            raise DefinitionError(f"{fn!r} is a workflow; embed it by .then_flow(workflow)")
        objection = objection_to(fn)
        if objection is not None or not callable(fn):
            raise DefinitionError(objection or "")
        return reference, fn

    def _own_name(self, fn: Callable[..., Any]) -> str:
        name = getattr(fn, "__name__", LAMBDA)
        return self.numbering.name("lambda") if name == LAMBDA else name


def _flow_name(name: object) -> str:
    try:
        return check_name(cast("str", name), "flow name")
    except (ValueError, TypeError) as error:
        raise DefinitionError(str(error)) from error


def _metadata_text(metadata: object) -> str | None:
    if metadata is None:
        return None
    if not isinstance(metadata, dict):
        raise DefinitionError(f"metadata must be a dict, not {type(metadata).__name__}")
    try:
        return json.dumps(metadata, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise DefinitionError(f"metadata must be JSON-able: {error}") from error
