"""docs/performance.md and its plots, wholly from the results that are kept and a hand-written text.

``docs/performance/page.md`` is that text. What stands in it between double braces is filled in:
``{{machine}}``, ``{{runs}}``, ``{{rows}}``, ``{{peers}}``, ``{{missing}}``, ``{{series NAME}}``, and single
numbers as ``{{WORKLOAD: WHAT: FIELD}}``, such as ``{{W5: 1 worker: ratio}}``. So the text has no number of its
own that a new measurement would make untrue.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from measure import Result, Series
from plots import svg
from record import Record, read
from table import markdown, number, others, span, word

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = DOCS / "performance.md"
FOLDER = DOCS / "performance"
TEXT = FOLDER / "page.md"
RESULTS = FOLDER / "results.json"

_HOLE = re.compile(r"\{\{(.+?)\}\}")
_FIELDS: Mapping[str, Callable[[Result], str]] = {
    "ours": lambda result: number(result.median("ours")),
    "limit": lambda result: number(result.median("limit")),
    "ratio": lambda result: number(result.ratio("limit")),
    "half": lambda result: span(result.quartiles("limit")),
    "turns": lambda result: f"{len(result.times.get('ours', ()))}",
}


def write(results: Path) -> int:
    """Write the page and its plots from a file of results; return 0."""
    record = read(results)
    for series in record.series:
        (FOLDER / f"{series.name}.svg").write_text(svg(series), encoding="utf-8")
    PAGE.write_text(page(record, TEXT.read_text(encoding="utf-8")), encoding="utf-8")
    print(PAGE)
    return 0


def page(record: Record, text: str) -> str:
    """Return the page; ``KeyError`` names what the text asks for and nobody has measured."""
    parts: Mapping[str, Callable[[Record], str]] = {
        "machine": _machine,
        "runs": _runs,
        "rows": _rows,
        "peers": _peers,
        "missing": _missing,
    }

    def filled(hole: re.Match[str]) -> str:
        wanted = hole[1].strip()
        if wanted in parts:
            return parts[wanted](record)
        if wanted.startswith("series "):
            return _series(record, wanted.removeprefix("series "))
        return _value(record, wanted)

    return _HOLE.sub(filled, text)


def _value(record: Record, wanted: str) -> str:
    workload, *what, field = wanted.split(": ")
    named = ": ".join(what)
    for result in record.results:
        if (result.workload, result.what) == (workload, named) and field in _FIELDS:
            return _FIELDS[field](result)
    raise KeyError(f"docs/performance/page.md asks for {wanted!r}, which no result has")


def _machine(record: Record) -> str:
    return ", ".join(f"{name} {value}" for name, value in record.machine.items())


def _runs(record: Record) -> str:
    rows = [
        (
            run.workload,
            run.taken.replace("T", " ").replace("+00:00", " UTC"),
            "full" if run.scale == 1 else f"full ÷ {run.scale}",
            f"{run.load[0]:.1f} to {run.load[1]:.1f}",
            f"{run.seconds:.0f}",
            f"{run.cpu:.0f}",
            "yes" if run.peers else "no",
        )
        for run in record.runs
    ]
    heads = (
        "workload",
        "taken",
        "size",
        "load average",
        "seconds",
        "CPU seconds",
        "beside peers",
    )
    return markdown(heads, rows)


def _rows(record: Record) -> str:
    rows = [
        (
            f"{result.workload}, {result.what}",
            result.unit,
            f"{len(result.times.get('ours', ()))}",
            number(result.median("ours")),
            number(result.median("limit")),
            number(result.ratio("limit")),
            span(result.quartiles("limit")),
            f"≤ {_target(result)}",
            number(result.judged()),
            _strong(result.within(1.0)),
            _strong(result.within(2.0)),
        )
        for result in record.results
    ]
    heads = ("workload", "unit", "turns", "ours", "limit", "ratio", "half of the turns")
    return markdown((*heads, "target", "is", "met", "within 2×"), rows)


def _target(result: Result) -> str:
    of, most = result.target.of, number(result.target.at_most)
    return most if of == "itself" else f"{most} × {of}"


def _strong(held: bool | None) -> str:
    return "**no**" if held is False else word(held)


def _peers(record: Record) -> str:
    """Return a row for each measurement of another engine, the best one of a workload first."""
    rows = [
        (
            f"{result.workload}, {result.what}",
            result.unit,
            number(result.median("ours")),
            side,
            number(result.median(side)),
            number(result.ratio(side)),
            result.notes.get(side, ""),
        )
        for result in _measurements(record)
        for side in others(result)
    ]
    if not rows:
        return "No other engine took part in these measurements."
    heads = (
        "workload",
        "unit",
        "ours",
        "engine",
        "it",
        "ours ÷ it",
        "its setting, and how much it did",
    )
    return markdown(heads, rows)


def _missing(record: Record) -> str:
    """Return a line for each side that did not take part in something, with the reason."""
    lines: dict[str, list[str]] = {}
    for result in _measurements(record):
        for side, note in result.notes.items():
            if not result.times.get(side):
                place = f"{result.workload}, {result.what}"
                lines.setdefault(f"* **{side}**: {note}", []).append(place)
    if not lines:
        return "Nobody who should have taken part is missing."
    return "\n".join(f"{line} ({'; '.join(places)})" for line, places in lines.items())


def _measurements(record: Record) -> list[Result]:
    """Return one result of each measurement: one that has several targets has as many results."""
    found: dict[tuple[str, str], Result] = {}
    for result in record.results:
        found.setdefault((result.workload, result.what), result)
    return list(found.values())


def _series(record: Record, name: str) -> str:
    found = [series for series in record.series if series.name == name]
    if not found:
        raise KeyError(f"docs/performance/page.md asks for the series {name!r}, which is not there")
    (series,) = found
    return f"![{series.title}](performance/{series.name}.svg)\n\n{_points(series)}"


def _points(series: Series) -> str:
    """Return a row for each place across, a column for each line."""
    places = sorted({x for line in series.lines.values() for x, _ in line})
    lines = [dict(line) for line in series.lines.values()]
    rows = [[number(x), *(number(line.get(x)) for line in lines)] for x in places]
    return markdown((series.across, *(f"{name}, {series.unit}" for name in series.lines)), rows)
