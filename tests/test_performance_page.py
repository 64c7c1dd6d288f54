"""docs/performance.md says what its measurements say, in its tables, its plots and its prose."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import plots
import pytest
import record
import report
from measure import Result, Series, Target

ROOT = Path(__file__).resolve().parent.parent
TEXT = report.TEXT.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def kept() -> record.Record:
    """Give the measurements that the page is made of."""
    return record.read(report.RESULTS)


def test_the_page_is_what_its_measurements_make_of_its_text(kept: record.Record) -> None:
    """Whoever edits the page edits docs/performance/page.md and runs 'dev.py bench --report'."""
    assert report.page(kept, TEXT) == report.PAGE.read_text(encoding="utf-8")


def test_the_plots_are_those_of_the_measurements(kept: record.Record) -> None:
    """One file for each series, none left over."""
    made = {f"{series.name}.svg": plots.svg(series) for series in kept.series}
    found = {path.name: path.read_text(encoding="utf-8") for path in report.FOLDER.glob("*.svg")}

    assert made == found


def test_the_prose_has_no_number_of_its_own() -> None:
    """Numbers come from the measurements; names of workloads and of decisions have digits, too."""
    prose = re.sub(r"```.*?```|`[^`]*`|\{\{.*?\}\}", "", TEXT, flags=re.DOTALL)
    prose = re.sub(r"\bW\d+b?\b|\bADR \d+\b|\]\([^)]*\)", "", prose)

    assert [] == re.findall(r"\d[\d.,]*", prose)


def test_a_number_that_nobody_measured_is_refused_by_name(kept: record.Record) -> None:
    """A workload that was renamed does not leave a hole in the page."""
    with pytest.raises(KeyError, match=r"W99: none: ratio"):
        report.page(kept, "{{W99: none: ratio}}")


def test_every_workload_has_a_row_and_says_when_it_was_measured(kept: record.Record) -> None:
    """Nothing that can be measured is left out, and every judgement is that of its times."""
    rows = [json.loads(line.rstrip(",")) for line in _lines("results")]

    assert {run.workload for run in kept.runs} == {result.workload for result in kept.results}
    assert [row["met"] for row in rows] == [result.within(1.0) for result in kept.results]


def _lines(part: str) -> list[str]:
    text = report.RESULTS.read_text(encoding="utf-8")
    return text.partition(f'"{part}": [\n')[2].partition("\n]")[0].splitlines()


def _series(**changes: object) -> Series:
    fields = {
        "workload": "W0",
        "name": "sample",
        "title": "A & B",
        "across": "number",
        "unit": "ms",
        "lines": {"ours": [(1.0, 0.5), (1000.0, 2.0)], "limit": [(1.0, 0.5), (1000.0, 2.0)]},
        "logarithmic": "xy",
    }
    return Series(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("logarithmic", ["", "x", "y", "xy"])
def test_a_plot_keeps_its_points_inside_and_its_names_apart(logarithmic: str) -> None:
    """Points lie within the picture, and the names of lines that end together do not overlap."""
    root = ET.fromstring(plots.svg(_series(logarithmic=logarithmic)))  # noqa: S314
    space = "{http://www.w3.org/2000/svg}"
    texts = {text.text: float(text.get("y", "0")) for text in root.iter(f"{space}text")}
    path = next(
        each for each in root.iter(f"{space}path") if each.get("class", "").startswith("line")
    )
    places = [tuple(map(float, place.split())) for place in path.get("d", "")[1:].split("L")]

    assert all(0 <= x <= plots.WIDTH and 0 <= y <= plots.HEIGHT for x, y in places)
    assert abs(texts["ours"] - texts["limit"]) >= 14


def test_a_later_run_replaces_its_own_workload_only(tmp_path: Path) -> None:
    """So one workload can be measured again without the others."""
    path = tmp_path / "results.json"
    for seconds in (1.0, 2.0):
        for name in ("W2", "W1"):
            _keep(path, name, seconds)

    found = record.read(path)

    assert ["W1", "W2"] == [run.workload for run in found.runs]
    assert [[2.0], [2.0]] == [result.times["ours"] for result in found.results]


def _keep(path: Path, name: str, seconds: float) -> None:
    kept = record.started(path)
    run = record.Run(
        workload=name,
        taken="2026-01-02T03:04+00:00",
        seconds=seconds,
        cpu=seconds,
        load=[0.0, 0.0],
        repeats=1,
        scale=1,
        peers=False,
    )
    result = Result(
        workload=name,
        what="sample",
        unit="ms",
        times={"ours": [seconds], "limit": [1.0], "other-1.0": [3.0]},
        target=Target(of="limit", at_most=1.5),
        notes={"other-1.0": "eight threads", "absent-2.0": "cannot be installed"},
    )
    kept.replace(run, [result], ["W1", "W2"])
    kept.write(path)


def test_results_of_another_machine_are_not_mixed_in(tmp_path: Path) -> None:
    """Numbers of two machines would stand in one table."""
    path = tmp_path / "results.json"
    _keep(path, "W1", 1.0)
    path.write_text(path.read_text().replace('"cpus": ', '"cpus": 1'))

    with pytest.raises(SystemExit, match="another machine"):
        record.started(path)


def test_a_page_names_peers_their_settings_and_why_others_are_missing(tmp_path: Path) -> None:
    """A peer that did not take part is not left out silently."""
    _keep(tmp_path / "results.json", "W1", 2.0)
    kept = record.read(tmp_path / "results.json")

    text = report.page(kept, "{{rows}}\n{{peers}}\n{{missing}}")

    assert "| W1, sample | ms | 1 | 2 | 1 | 2 | – | ≤ 1.5 × limit | 2 | **no** | yes |" in text
    assert "| W1, sample | ms | 2 | other-1.0 | 3 | 0.667 | eight threads |" in text
    assert "* **absent-2.0**: cannot be installed (W1, sample)" in text


def test_the_command_writes_the_page_that_is_kept(tmp_path: Path) -> None:
    """In a copy of the folders that it reads and writes."""
    for folder in ("benchmarks", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "docs" / "performance.md").unlink()
    command = [sys.executable, str(tmp_path / "benchmarks" / "run.py"), "--report"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr
    assert report.PAGE.read_bytes() == (tmp_path / "docs" / "performance.md").read_bytes()
