"""Layout: give every element of a plan its ordinal, scope and path, and find what does not fit.

How this works: one walk with a stack of frames, depth first in declaration order, so nesting costs
no recursion. The scopes of an element are numbered together before any of them is entered. A
frame also carries ``parts``, the largest size that the reference to its current value can have:
a task's output has one part, a delay passes its input on, each route adds one. Where a value
leaves a scope its size is reported to the frame outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sayiir_core.authoring.names import MAX_LEVELS, max_path_bytes
from sayiir_core.authoring.plan import (
    ChildElement,
    DelayElement,
    Element,
    ForkElement,
    Line,
    LoopElement,
    RouteElement,
    SignalElement,
    TaskElement,
    lines_of,
)
from sayiir_core.errors import DefinitionError
from sayiir_core.snapshot.reference import MAX_DEPTH
from sayiir_core.workflow.node import END, NO_OWNER, ROOT, ScopeKind

MAX_NODES: Final = 250_000
MAX_BRANCHES: Final = 10_000


class ScopeSlot:
    """A scope with its place; ``first`` and ``last`` are ordinals of its nodes."""

    __slots__ = (
        "depth",
        "first",
        "kind",
        "last",
        "level",
        "line",
        "line_depth",
        "name",
        "ordinal",
        "owner",
        "path",
    )

    def __init__(self, ordinal: int, line: Line, owner: int, path: str) -> None:
        self.ordinal = ordinal
        self.kind = line.kind
        self.name = line.name
        self.owner = owner
        self.path = path
        self.first = self.last = END
        self.level = self.depth = self.line_depth = 0
        self.line = ROOT

    def inside(self, outer: ScopeSlot) -> None:
        """Take over what depends on the scope around."""
        self.level = outer.level + 1
        self.depth = outer.depth + (self.kind is ScopeKind.BODY)
        if self.kind is ScopeKind.BRANCH:
            self.line, self.line_depth = self.ordinal, self.depth
        else:
            self.line, self.line_depth = outer.line, outer.line_depth


class NodeSlot:
    """An element with its place; ``owned`` is the first of its scopes."""

    __slots__ = ("element", "loop", "next", "ordinal", "owned", "path", "scope")

    def __init__(self, ordinal: int, element: Element, scope: int, path: str, owned: int) -> None:
        self.ordinal = ordinal
        self.element = element
        self.scope = scope
        self.path = path
        self.owned = owned
        self.next = END
        self.loop: int | None = None


class _Frame:
    __slots__ = ("elements", "ids", "parts", "scope")

    def __init__(self, scope: ScopeSlot, elements: tuple[Element, ...], parts: int) -> None:
        self.scope = scope
        self.elements: Iterator[Element] = iter(elements)
        self.ids: set[str] = set()
        self.parts = parts


class Layout:
    """All nodes and scopes of a plan with their places, and the problems found on the way."""

    def __init__(self, elements: tuple[Element, ...]) -> None:
        root = Line(ScopeKind.ROOT, "", elements)
        self.nodes: list[NodeSlot] = []
        self.scopes: list[ScopeSlot] = [ScopeSlot(ROOT, root, NO_OWNER, "")]
        self.problems: list[DefinitionError] = []
        self._stack = [_Frame(self.scopes[ROOT], elements, 1)]
        self._told: set[str] = set()
        self._walk()
        if not self.problems:
            self._find_tails()

    def _walk(self) -> None:
        stack = self._stack
        while stack:
            frame = stack[-1]
            element = next(frame.elements, None)
            if element is None:
                stack.pop()
                if stack:
                    self._leave(frame, stack[-1])
                continue
            if len(self.nodes) >= MAX_NODES:
                self._tell_once("nodes", f"has more than {MAX_NODES} nodes; split it")
                return
            node = self._place(frame, element)
            if type(element) is TaskElement:
                frame.parts = 1
            else:
                self._enter(frame, node)

    def _place(self, frame: _Frame, element: Element) -> NodeSlot:
        scope = frame.scope
        ordinal = len(self.nodes)
        path = f"{scope.path}/{element.id}" if scope.path else element.id
        if len(path) * 4 > max_path_bytes(scope.level):
            self._check_length(path, scope.level)
        node = NodeSlot(ordinal, element, scope.ordinal, path, len(self.scopes))
        self._check_free(frame, element.id)
        if scope.last == END:
            scope.first = ordinal
        else:
            self.nodes[scope.last].next = ordinal
        scope.last = ordinal
        self.nodes.append(node)
        return node

    def _enter(self, frame: _Frame, node: NodeSlot) -> None:
        element = node.element
        lines = lines_of(element)
        parts = frame.parts
        match element:
            case LoopElement() | SignalElement() | ForkElement():
                frame.parts = 1
            case RouteElement():
                frame.parts = 0
            case TaskElement() | DelayElement() | ChildElement():
                pass
        if not lines or not self._may_enter(frame, node, lines):
            return
        slots = [self._scope(frame.scope, node, line) for line in lines]
        frames = [
            _Frame(slot, line.elements, parts) for slot, line in zip(slots, lines, strict=True)
        ]
        self._stack.extend(reversed(frames))

    def _scope(self, outer: ScopeSlot, node: NodeSlot, line: Line) -> ScopeSlot:
        path = f"{node.path}/{line.name}" if line.name else node.path
        slot = ScopeSlot(len(self.scopes), line, node.ordinal, path)
        slot.inside(outer)
        self.scopes.append(slot)
        return slot

    def _leave(self, inner: _Frame, outer: _Frame) -> None:
        if inner.scope.kind is ScopeKind.CHILD:
            outer.parts = inner.parts
        elif inner.scope.kind is ScopeKind.ARM:
            outer.parts = max(outer.parts, inner.parts + 1)
            if outer.parts > MAX_DEPTH:
                self._tell_once(
                    "routes",
                    f"nests more than {MAX_DEPTH - 1} routes that end with a route; put a task "
                    f"behind an inner route, so that its result is one value again",
                )
                outer.parts = 1

    def _may_enter(self, frame: _Frame, node: NodeSlot, lines: tuple[Line, ...]) -> bool:
        if frame.scope.level >= MAX_LEVELS:
            self._tell_once(
                "levels",
                f"is nested deeper than {MAX_LEVELS} levels; run the inner part as a workflow of "
                f"its own",
            )
            return False
        if len(lines) > MAX_BRANCHES and isinstance(node.element, ForkElement):
            text = f"{node.path}: has {len(lines)} branches; at most {MAX_BRANCHES} are allowed"
            self.problems.append(DefinitionError(text))
            return False
        self._check_lines(node, lines)
        return True

    def _check_lines(self, node: NodeSlot, lines: tuple[Line, ...]) -> None:
        if len(lines) == 1:
            return
        names: set[str] = set()
        for line in lines:
            if line.kind is ScopeKind.KEY:
                continue
            if line.name in names:
                self._tell_twice(node, line)
            names.add(line.name)

    def _tell_twice(self, node: NodeSlot, line: Line) -> None:
        if line.kind is ScopeKind.BRANCH:
            text = f"two branches are named {line.name!r}; pass name= to one of them"
        else:
            text = f"the key {line.name!r} has the name of the default branch; rename the key"
        self.problems.append(DefinitionError(f"{node.path}: {text}"))

    def _check_free(self, frame: _Frame, name: str) -> None:
        if name not in frame.ids:
            frame.ids.add(name)
            return
        place = repr(frame.scope.path) if frame.scope.path else "the flow"
        problem = f"{place}: two steps have the id {name!r}; pass name= to one of them"
        if problem not in self._told:
            self._told.add(problem)
            self.problems.append(DefinitionError(problem))

    def _check_length(self, path: str, level: int) -> None:
        size, limit = len(path.encode()), max_path_bytes(level)
        if size > limit:
            self._tell_once(
                "path",
                f"has a path of {size} bytes, {path[:60]!r}…, at most {limit} are allowed "
                f"at that depth; use shorter names",
            )

    def _tell_once(self, what: str, text: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self.problems.append(DefinitionError(f"the flow {text}"))

    def _find_tails(self) -> None:
        for node in self.nodes:
            if isinstance(node.element, LoopElement):
                tail = self._tail(node)
                if tail is None:
                    self.problems.append(
                        DefinitionError(
                            f"{node.path}: the body does not end with a task; end the body with a "
                            f"task that returns LoopResult"
                        )
                    )
                else:
                    tail.loop = node.ordinal

    def _tail(self, loop: NodeSlot) -> NodeSlot | None:
        tail = loop
        while isinstance(tail.element, ChildElement) or tail is loop:
            tail = self.nodes[self.scopes[tail.owned].last]
        return tail if isinstance(tail.element, TaskElement) else None
