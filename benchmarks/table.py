"""How numbers and rows are written, in a terminal and in Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from measure import Result

_VERSION = re.compile(r"-\d+\.\d+")

_COLUMNS: Sequence[tuple[str, int, Callable[[Result], str]]] = (
    ("workload", 41, lambda result: f"{result.workload} {result.what}"),
    ("unit", 8, lambda result: result.unit),
    ("ours", 9, lambda result: number(result.median("ours"))),
    ("limit", 9, lambda result: number(result.median("limit"))),
    ("ratio", 7, lambda result: number(result.ratio("limit"))),
    ("half within", 14, lambda result: span(result.quartiles("limit"))),
    ("target", 20, lambda result: f"≤ {result.target}"),
    ("is", 8, lambda result: number(result.judged())),
    ("met", 5, lambda result: word(result.within(1.0))),
    ("within 2×", 9, lambda result: word(result.within(2.0))),
)


def heading() -> str:
    """Return the line above the rows of a terminal."""
    return " ".join(f"{head:<{width}}" for head, width, _ in _COLUMNS).rstrip()


def lines(result: Result) -> list[str]:
    """Return the row of a result in a terminal, and a line for each other side that took part."""
    row = " ".join(f"{cell(result):<{width}}" for _, width, cell in _COLUMNS).rstrip()
    return [row, *(_beside(result, side) for side in others(result))]


def _beside(result: Result, side: str) -> str:
    taken, ratio = number(result.median(side)), number(result.ratio(side))
    note = result.notes.get(side, "")
    return f"    {side:<28}{taken:>9} {result.unit:<8} ours {ratio:>7} × it   {note}".rstrip()


def others(result: Result) -> list[str]:
    """Return the engines that took part, whose names have a version, the best one first."""
    sides = [side for side, times in result.times.items() if times and _VERSION.search(side)]
    return sorted(sides, key=lambda side: result.median(side) or 0.0)


def number(value: float | None) -> str:
    """Write three digits of a number."""
    if value is None:
        return "–"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def span(value: tuple[float, float] | None) -> str:
    """Write quartiles."""
    return "–" if value is None else f"{number(value[0])} to {number(value[1])}"


def word(value: bool | None) -> str:
    """Write whether something holds."""
    return {True: "yes", False: "no", None: "–"}[value]


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    body = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in body)
