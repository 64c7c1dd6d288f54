"""How far one PostgreSQL goes: measure what a step costs, and predict from that.

``measure`` takes the measurements of ``scaling_measure.py`` and writes them as JSON; ``predict`` reads
such a file, fits the constants of ``scaling_model.py`` to runs of one worker process, says how far they
are off for runs that they were not fitted to, and what saturates first on larger machines.

Usage: scaling.py measure [--parts disk,processes,rows,connections] [--quick] [--output FILE]
       scaling.py predict FILE [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import scaling_measure
from scaling_report import as_json, report

RESULTS = Path(__file__).resolve().parent / "results"
PARTS = ("disk", "processes", "rows", "connections")


def main() -> int:
    """Do what was asked for."""
    chosen = _arguments()
    if chosen.verb == "measure":
        _measure(chosen.parts, chosen.output, is_quick=chosen.quick)
    else:
        measured = json.loads(chosen.file.read_text())
        print(json.dumps(as_json(measured), indent=1) if chosen.json else report(measured))
    return 0


def _measure(parts: list[str], output: Path, *, is_quick: bool) -> None:
    results: dict[str, Any] = {"machine": scaling_measure.machine()}
    for part in parts:
        print(part, flush=True)
        results[part] = _part(part, 10 if is_quick else 1)
        # After each part, so that what takes long is not lost with what comes later.
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(results, indent=1) + "\n")
    print(output)


def _part(part: str, divisor: int) -> Any:
    repeats = 2 if divisor == 1 else 1
    if part == "disk":
        return scaling_measure.of_disk(5.0 / divisor)
    if part == "processes":
        return scaling_measure.by_processes(20_000 // divisor, (2, 3, 4, 8), repeats)
    if part == "rows":
        return scaling_measure.by_rows(16_000 // divisor, 1_000_000 // divisor, repeats)
    return scaling_measure.by_connections(4.0 / divisor, (0, 100, 300))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    measure = verbs.add_parser("measure")
    measure.add_argument("--parts", type=_parts, default=list(PARTS), help="such as disk,rows")
    measure.add_argument("--quick", action="store_true", help="a tenth of the work, once")
    measure.add_argument("--output", type=Path, default=RESULTS / "scaling.json")
    predict = verbs.add_parser("predict")
    predict.add_argument("file", type=Path)
    predict.add_argument("--json", action="store_true", help="all numbers, for a program")
    return parser.parse_args()


def _parts(text: str) -> list[str]:
    parts = text.split(",")
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(PARTS)}")
    return parts


if __name__ == "__main__":
    sys.exit(main())
