"""Finding a node or a scope by what a person writes.

``charge``, ``fork_0/charge/validate`` or any unambiguous end of a path names a node; ``charge[2]``
names its third turn in a loop, and ``charge[0][2]`` the third turn of the inner loop in the first
of the outer one. Tasks, delays and signals win over the composites and scopes of the same name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from sayiir_core.errors import NodeLookupError
from sayiir_core.ids import Index
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.node import DelayNode, Node, Scope, SignalNode, TaskNode

_SELECTOR: Final = re.compile(r"(.+?)((?:\[[0-9]{1,10}\])+)", re.DOTALL)
_TURN: Final = re.compile(r"\[([0-9]+)\]")
_MOST_LISTED: Final = 10


@dataclass(frozen=True, slots=True)
class Found:
    """What a text names: a node, or a scope that no node shares its path with.

    ``turns`` are the turns that the text selected, outermost loop first; where it selected none
    or too few, the last recorded turn is meant.
    """

    target: Node | Scope
    turns: Index = ()


def find(definition: Definition, text: str) -> Found:
    """Return what the text names.

    Raises ``NodeLookupError`` that lists the candidates of an ambiguous text, or what comes close
    to an unknown one.
    """
    target = _match(definition, text)
    if target is not None:
        return Found(target)
    selected = _SELECTOR.fullmatch(text)
    if selected is not None:
        target = _match(definition, selected[1])
        if target is not None:
            turns = tuple(int(turn) for turn in _TURN.findall(selected[2]))
            _check_turns(definition, target, turns, text)
            return Found(target, turns)
    raise _unknown(definition, selected[1] if selected else text)


def index_depth(definition: Definition, target: Node | Scope) -> int:
    """Return the length of the index under which the target's value stands."""
    if isinstance(target, Scope):
        return target.depth
    return definition.scopes[target.scope].depth


def _match(definition: Definition, text: str) -> Node | Scope | None:
    tiers = _tiers(definition)
    for tier in tiers:
        exact = [target for target in tier if target.path == text]
        if exact:
            return exact[0]
    ending = f"/{text}"
    for tier in tiers:
        ends = [target for target in tier if target.path.endswith(ending)]
        if len(ends) > 1:
            raise _ambiguous(definition, text, ends)
        if ends:
            return ends[0]
    return None


def _tiers(definition: Definition) -> tuple[list[Node | Scope], ...]:
    plain: list[Node | Scope] = []
    composite: list[Node | Scope] = []
    for node in definition.nodes:
        tier = plain if isinstance(node, TaskNode | DelayNode | SignalNode) else composite
        tier.append(node)
    return plain, composite, [scope for scope in definition.scopes if scope.path]


def _check_turns(definition: Definition, target: Node | Scope, turns: Index, text: str) -> None:
    depth = index_depth(definition, target)
    if len(turns) <= depth:
        return
    example = target.path + "[0]" * depth
    remedy = f"it stands in {depth or 'no'} loop(s): write {example!r}"
    raise NodeLookupError(
        f"{text!r} does not select a turn of {target.path!r} in workflow "
        f"{definition.workflow_id!r}; {remedy}",
        candidates=(target.path,),
    )


def _ambiguous(
    definition: Definition, text: str, targets: Iterable[Node | Scope]
) -> NodeLookupError:
    paths = tuple(target.path for target in targets)
    return NodeLookupError(
        f"{text!r} is ambiguous in workflow {definition.workflow_id!r}; use one of "
        f"{_listed(paths)}",
        candidates=paths,
    )


def _unknown(definition: Definition, text: str) -> NodeLookupError:
    by_name: dict[str, list[str]] = {}
    for node in definition.nodes:
        by_name.setdefault(node.path, []).append(node.path)
        by_name.setdefault(node.id, []).append(node.path)
    names = get_close_matches(text, by_name, n=3)
    paths = tuple(dict.fromkeys(path for name in names for path in by_name[name]))
    hint = f"did you mean {_listed(paths)}?" if paths else f"it has {_some(definition)}"
    return NodeLookupError(
        f"workflow {definition.workflow_id!r} has no node {text!r}; {hint}", candidates=paths
    )


def _some(definition: Definition) -> str:
    return _listed(tuple(node.path for node in definition.nodes))


def _listed(paths: tuple[str, ...]) -> str:
    listed = ", ".join(repr(path) for path in paths[:_MOST_LISTED])
    rest = len(paths) - _MOST_LISTED
    return f"{listed} and {rest} more" if rest > 0 else listed
