"""Measure Sayiir beside the raw limit of this machine, and print what became of the targets.

Usage: run.py [--only W1,W3] [--quick] [--peers] [--repeats N] [--folder DIR] [--output FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

from measure import Result, Settings, Workload
from peer_process import started_peers

# Modules are imported when their turn comes: not every workload needs every backend.
WORKLOADS = {
    "W1": "w1",
    "W1b": "w1",
    "W2": "w2",
    "W3": "w3",
    "W4": "w4",
    "W5": "w5",
    "W5b": "w5",
    "W6": "w6",
    "W7": "w7",
    "W8": "w8",
    "W11": "w11",
    "W12": "w12",
    "W13": "w13",
    "W14": "w14",
}
_SIDES = {"ours", "limit"}
RESULTS = Path(__file__).resolve().parent / "results"

_COLUMNS: Sequence[tuple[str, int, Callable[[Result], str]]] = (
    ("workload", 41, lambda result: f"{result.workload} {result.what}"),
    ("unit", 8, lambda result: result.unit),
    ("ours", 9, lambda result: _number(result.median("ours"))),
    ("limit", 9, lambda result: _number(result.median("limit"))),
    ("ratio", 7, lambda result: _number(result.ratio("limit"))),
    ("half within", 12, lambda result: _span(result.quartiles("limit"))),
    ("target", 20, lambda result: f"≤ {result.target}"),
    ("is", 8, lambda result: _number(result.judged())),
    ("met", 5, lambda result: _word(result.within(1.0))),
    ("within 2×", 9, lambda result: _word(result.within(2.0))),
)


def main() -> int:
    """Run the chosen workloads; return 1 if one misses twice its target."""
    chosen = _arguments()
    results: list[Result] = []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=chosen.folder))
        peers, missing = stack.enter_context(started_peers()) if chosen.peers else ({}, {})
        settings = Settings(
            repeats=chosen.repeats or (3 if chosen.quick else 7),
            scale=10 if chosen.quick else 1,
            folder=Path(folder),
            peers=peers,
            missing=missing,
        )
        print(" ".join(f"{head:<{width}}" for head, width, _ in _COLUMNS).rstrip())
        for name in chosen.only:
            for result in _workload(name)(settings):
                print(" ".join(f"{cell(result):<{width}}" for _, width, cell in _COLUMNS).rstrip())
                print("".join(f"{line}\n" for line in _beside(result)), end="")
                sys.stdout.flush()
                results.append(result)
    _write(results, chosen.output or RESULTS / time.strftime("%Y%m%d-%H%M%S.json"))
    return 1 if any(result.within(2.0) is False for result in results) else 0


def _workload(name: str) -> Workload:
    workload: Workload = getattr(import_module(WORKLOADS[name]), name.lower())
    return workload


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", type=_names, default=list(WORKLOADS), help="such as W1,W3")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, few repeats")
    parser.add_argument("--peers", action="store_true", help="run other engines beside ours")
    parser.add_argument("--repeats", type=int, help="how often the sides take turns")
    parser.add_argument("--folder", type=Path, help="where the SQLite files go while they live")
    parser.add_argument("--output", type=Path, help="where the results go as JSON")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in WORKLOADS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(WORKLOADS)}")
    return names


def _write(results: Sequence[Result], path: Path) -> None:
    machine = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "sqlite": sqlite3.sqlite_version,
    }
    rows = [
        {
            "workload": result.workload,
            "what": result.what,
            "unit": result.unit,
            "medians": {side: result.median(side) for side in result.times},
            "times": dict(result.times),
            "target": {"of": result.target.of, "at_most": result.target.at_most},
            "judged": result.judged(),
            "met": result.within(1.0),
            "within_twice": result.within(2.0),
            "notes": dict(result.notes),
        }
        for result in results
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine, "results": rows}, indent=1) + "\n")
    print(f"\n{path}")


def _beside(result: Result) -> list[str]:
    """Return a line for each peer that has taken part, with ours as a multiple of it."""
    return [
        f"    {side:<28}{_number(result.median(side)):>9} {result.unit:<8} ours"
        f" {_number(result.ratio(side)):>7} × it   {result.notes.get(side, '')}".rstrip()
        for side in result.times
        if side not in _SIDES
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _span(value: tuple[float, float] | None) -> str:
    return "-" if value is None else f"{value[0]:.2f}-{value[1]:.2f}"


def _word(value: bool | None) -> str:
    return {True: "yes", False: "NO", None: "-"}[value]


if __name__ == "__main__":
    sys.exit(main())
