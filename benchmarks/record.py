"""What was measured, as one JSON file: the machine, when and beside what load, all values, all series.

A later run may replace single workloads of a file, on the machine that measured the others: each
workload says when it was taken and what else the machine did.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from measure import Result, Series, Target

from sayiir_pytest.postgres_server import PostgresUnavailable, find_binaries

_DISTRIBUTIONS = ("sayiir", "orjson", "psycopg")
_DIGITS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How one workload was measured: when, for how long, and the load average before and after.

    ``cpu`` is how many seconds all processes computed, whatever else the machine did.
    """

    workload: str
    taken: str
    seconds: float
    cpu: float
    load: Sequence[float]
    repeats: int
    scale: int
    peers: bool


@dataclass(slots=True, kw_only=True)
class Record:
    """All that is known of one machine."""

    machine: Mapping[str, Any]
    runs: list[Run] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)

    def replace(self, run: Run, measured: Sequence[Result | Series], order: Sequence[str]) -> None:
        """Put a workload's measurements in the place of its earlier ones, in the given order."""

        def others(kept: Sequence[Any]) -> list[Any]:
            return [each for each in kept if each.workload != run.workload]

        def place(each: Run | Result | Series) -> int:
            return order.index(each.workload)

        results = [each for each in measured if isinstance(each, Result)]
        series = [each for each in measured if isinstance(each, Series)]
        self.runs = sorted([*others(self.runs), run], key=place)
        self.results = sorted([*others(self.results), *results], key=place)
        self.series = sorted([*others(self.series), *series], key=place)

    def write(self, path: Path) -> None:
        """Write the file, a line for each measurement."""
        parts = {
            "runs": [_fields(run) for run in self.runs],
            "results": [_result(result) for result in self.results],
            "series": [_fields(series) for series in self.series],
        }
        lines = [f'"machine": {json.dumps(dict(self.machine))}']
        for name, entries in parts.items():
            body = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
            lines.append(f'"{name}": [\n{body}\n]')
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def read(path: Path) -> Record:
    """Read a file that a record wrote."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return Record(
        machine=found["machine"],
        runs=[Run(**run) for run in found["runs"]],
        results=[
            Result(
                **{name: entry[name] for name in ("workload", "what", "unit", "times", "notes")},
                target=Target(**entry["target"]),
            )
            for entry in found["results"]
        ],
        series=[Series(**series) for series in found["series"]],
    )


def started(path: Path) -> Record:
    """Return the record that a run goes on with: the one of this machine at a path, or a new one."""
    here = Record(machine=machine())
    if not path.exists():
        return here
    kept = read(path)
    if kept.machine != here.machine:
        raise SystemExit(
            f"{path} was measured on another machine or with other versions: move it away, or "
            "measure everything into another file"
        )
    return kept


def machine() -> dict[str, Any]:
    """Describe this machine and what is installed on it."""
    return {
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "memory GiB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "PostgreSQL": _postgres(),
        **{name: version(name) for name in _DISTRIBUTIONS},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _postgres() -> str:
    try:
        program = find_binaries() / "postgres"
    except PostgresUnavailable:
        return "none"
    done = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[2]


def _result(result: Result) -> dict[str, Any]:
    return {
        "workload": result.workload,
        "what": result.what,
        "unit": result.unit,
        "times": _rounded(result.times),
        "notes": dict(result.notes),
        "target": {"of": result.target.of, "at_most": result.target.at_most},
        "judged": _rounded(result.judged()),
        "met": result.within(1.0),
        "within_twice": result.within(2.0),
    }


def _fields(entry: Run | Series) -> dict[str, Any]:
    return {name: _rounded(getattr(entry, name)) for name in entry.__slots__}


def _rounded(value: Any) -> Any:
    """Keep five digits of every number: there are not more in any measurement."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, Mapping):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value
