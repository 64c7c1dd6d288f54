"""Four analyses of Python source, each a pure fold: sources and a tally in, the next tally out.

Tallies are plain JSON values, so that they can be stored between two batches.
"""

from __future__ import annotations

import ast
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

Tally = dict[str, Any]

TOP = 10
_PARSING = threading.Lock()
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
_DECISIONS = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.IfExp,
    ast.ExceptHandler,
    ast.comprehension,
    ast.match_case,
)


class Source(NamedTuple):
    """One module: its dotted name, and its text."""

    name: str
    text: str


def sizes(tally: Tally, sources: Sequence[Source]) -> Tally:
    """Count modules and lines, and keep the longest modules."""
    lines: list[list[Any]] = [[source.text.count("\n"), source.name] for source in sources]
    return {
        "modules": tally.get("modules", 0) + len(sources),
        "lines": tally.get("lines", 0) + sum(count for count, _ in lines),
        "longest": _top(tally.get("longest", []) + lines),
    }


def imports(tally: Tally, sources: Sequence[Source]) -> Tally:
    """Count for each top-level package how many modules import it."""
    importers: Counter[str] = Counter(tally.get("importers", {}))
    for _, tree in _parsed(sources):
        importers.update(set(_imported(tree)))
    return {"importers": dict(sorted(importers.items()))}


def docstrings(tally: Tally, sources: Sequence[Source]) -> Tally:
    """Count the public modules, classes and functions, and how many of them have a docstring."""
    packages = {name: list(counts) for name, counts in tally.get("packages", {}).items()}
    for name, tree in _parsed(sources):
        counts = packages.setdefault(name.partition(".")[0], [0, 0])
        for node in _public(tree):
            counts[0] += ast.get_docstring(node, clean=False) is not None
            counts[1] += 1
    return {"packages": dict(sorted(packages.items()))}


def complexity(tally: Tally, sources: Sequence[Source]) -> Tally:
    """Count the decisions in every function, and keep the functions with the most."""
    found: list[list[Any]] = []
    for name, tree in _parsed(sources):
        found += [
            [n, f"{name}:{node.name}", node.lineno] for node, n in _complexities(tree).items()
        ]
    return {
        "functions": tally.get("functions", 0) + len(found),
        "most_complex": _top(tally.get("most_complex", []) + found),
    }


def _parsed(sources: Sequence[Source]) -> Iterator[tuple[str, ast.Module]]:
    for source in sources:
        try:
            # Threads that parse at the same time can fail on CPython 3.11.
            with _PARSING:
                tree = ast.parse(source.text)
            yield source.name, tree
        except (SyntaxError, ValueError):
            continue


def _imported(tree: ast.Module) -> Iterator[str]:
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            yield node.module.partition(".")[0]
        for field in _BLOCKS:
            todo.extend(getattr(node, field, ()))


def _public(tree: ast.Module) -> Iterator[ast.Module | ast.ClassDef | _FUNCTIONS]:
    todo: list[ast.Module | ast.ClassDef] = [tree]
    while todo:
        parent = todo.pop()
        yield parent
        for node in parent.body:
            if isinstance(node, ast.ClassDef | _FUNCTIONS) and not node.name.startswith("_"):
                if isinstance(node, ast.ClassDef):
                    todo.append(node)
                else:
                    yield node


def _complexities(tree: ast.Module) -> dict[_FUNCTIONS, int]:
    """Return McCabe's number of each function: one, and one for every point where paths fork."""
    numbers: dict[_FUNCTIONS, int] = {}
    todo: list[tuple[ast.AST, _FUNCTIONS | None]] = [(tree, None)]
    while todo:
        node, function = todo.pop()
        if isinstance(node, _FUNCTIONS):
            function = node
            numbers[function] = 1
        elif function is not None:
            numbers[function] += _decisions(node)
        todo.extend((child, function) for child in ast.iter_child_nodes(node))
    return numbers


def _decisions(node: ast.AST) -> int:
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    return 1 if isinstance(node, _DECISIONS) else 0


def _top(rows: list[list[Any]]) -> list[list[Any]]:
    return sorted(rows, key=lambda row: (-row[0], *row[1:]))[:TOP]
