"""Measure Sayiir beside the raw limit of this machine, and print what became of the targets.

Usage: run.py [--only W1,W3] [--quick] [--peers] [--repeats N] [--folder DIR] [--keep | --output FILE]
       run.py --report

``--keep`` puts the measurements into the results of docs/performance.md, ``--report`` writes that
page and its plots from them.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import record
import report
import table
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
    "W9": "w9",
    "W10": "w10",
    "W11": "w11",
    "W12": "w12",
    "W13": "w13",
    "W14": "w14",
    "CPU": "overhead",
}
RESULTS = Path(__file__).resolve().parent / "results"


def main() -> int:
    """Run the chosen workloads; return 1 if one misses twice its target."""
    chosen = _arguments()
    if chosen.report:
        return report.write(chosen.output or report.RESULTS)
    default = report.RESULTS if chosen.keep else RESULTS / time.strftime("%Y%m%d-%H%M%S.json")
    path = chosen.output or default
    kept = record.started(path)
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
        print(table.heading())
        measured = [
            result for name in chosen.only for result in _measured(name, settings, kept, path)
        ]
    print(f"\n{path}")
    return 1 if any(result.within(2.0) is False for result in measured) else 0


def _measured(name: str, settings: Settings, kept: record.Record, path: Path) -> list[Result]:
    """Run one workload, print its rows and write them to the file with what is there already."""
    before, taken = os.getloadavg()[0], datetime.now(UTC)
    start, computed = time.perf_counter(), _computed()
    measured = _workload(name)(settings)
    run = record.Run(
        workload=name,
        taken=taken.isoformat(timespec="minutes"),
        seconds=time.perf_counter() - start,
        cpu=_computed() - computed,
        load=[before, os.getloadavg()[0]],
        repeats=settings.repeats,
        scale=settings.scale,
        peers=bool(settings.peers),
    )
    kept.replace(run, measured, list(WORKLOADS))
    kept.write(path)
    results = [each for each in measured if isinstance(each, Result)]
    for result in results:
        print(*table.lines(result), sep="\n")
    print(
        f"    {name} took {run.seconds:.0f} s, {run.cpu:.0f} s of them computing, "
        f"at a load of {before:.1f} to {run.load[1]:.1f}",
        flush=True,
    )
    return results


def _computed() -> float:
    """Return the CPU time of this process and of the ones that it has awaited."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


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
    parser.add_argument("--keep", action="store_true", help="into the results of the page")
    parser.add_argument(
        "--output", type=Path, help="into this JSON file, replacing what it has of these"
    )
    parser.add_argument("--report", action="store_true", help="measure nothing, write the page")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in WORKLOADS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(WORKLOADS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
