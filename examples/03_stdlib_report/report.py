"""The report: four tallies in, Markdown out."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from analysis import TOP, Tally


def compose(tallies: Mapping[str, Tally]) -> str:
    """Return the report as Markdown; equal tallies give equal text."""
    sections = [
        f"# The standard library of Python {platform.python_version()}\n",
        _sizes(tallies["sizes"]),
        _imports(tallies["imports"]),
        _docstrings(tallies["docstrings"]),
        _complexity(tallies["complexity"]),
    ]
    return "\n".join(sections)


def _sizes(tally: Tally) -> str:
    return (
        f"{tally['modules']:,} modules, {tally['lines']:,} lines.\n\n"
        f"## Longest modules\n\n{_table(['lines', 'module'], tally['longest'])}"
    )


def _imports(tally: Tally) -> str:
    counts: Mapping[str, int] = tally["importers"]
    most = sorted(((count, name) for name, count in counts.items()), key=_descending)[:TOP]
    return f"## Most imported packages\n\n{_table(['modules that import it', 'package'], most)}"


def _docstrings(tally: Tally) -> str:
    packages: Mapping[str, Sequence[int]] = tally["packages"]
    documented = sum(counts[0] for counts in packages.values())
    public = sum(counts[1] for counts in packages.values())
    large = ((d / n, name, d, n) for name, (d, n) in packages.items() if n >= 50)
    rows = [(f"{share:.0%}", name, d, n) for share, name, d, n in sorted(large)[:TOP]]
    return (
        f"## Docstrings\n\n{documented:,} of {public:,} public names have one"
        f" ({documented / max(public, 1):.0%}). Packages of 50 names and more with the fewest:\n\n"
        f"{_table(['share', 'package', 'documented', 'public'], rows)}"
    )


def _complexity(tally: Tally) -> str:
    return (
        f"## Most complex functions\n\nMcCabe's number, of {tally['functions']:,} functions.\n\n"
        f"{_table(['number', 'function', 'line'], tally['most_complex'])}"
    )


def _descending(row: tuple[int, str]) -> tuple[int, str]:
    return (-row[0], row[1])


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)
