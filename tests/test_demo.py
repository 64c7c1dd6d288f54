"""The demo keeps its promises: half-way, killed, resumed, nothing twice, the same report."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from sayiir import Operations, SQLiteBackend
from sayiir_core.snapshot.step import StepStatus

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "examples" / "03_stdlib_report"
STEPS = 51

_BAR = """
from progress import Bar
with Bar() as bar:
    bar.draw(0, "starting")
    bar.draw(25, "docstrings batch 12")
    bar.draw(51, "report")
"""

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]


class Demo(NamedTuple):
    """One finished demo: what it printed, and its folder."""

    output: str
    folder: Path


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Run the whole demo once, as ``dev.py demo`` does."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, str(FOLDER / "main.py"), "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert (0, "") == (done.returncode, done.stderr)
    return Demo(done.stdout, folder)


def _number(pattern: str, text: str) -> int:
    match = re.search(pattern, text)
    assert match is not None, f"{pattern!r} is not in:\n{text}"
    return int(match[1])


def test_the_demo_kills_its_process_half_way(demo: Demo) -> None:
    """Some tenths before and after the middle, and by the process id that it started."""
    kept = _number(r"resumes it: (\d+) steps are there already", demo.output)

    started = _number(r"Process (\d+) runs it", demo.output)
    killed = _number(r"kill -9 (\d+)", demo.output)
    assert started == killed
    assert STEPS // 2 <= kept < STEPS * 3 // 4


def test_no_recorded_step_runs_again(demo: Demo) -> None:
    """The log of the second process has nothing that was recorded before the kill."""
    kept = _number(r"resumes it: (\d+) steps are there already", demo.output)
    first = (demo.folder / "start.log").read_text().splitlines()
    second = (demo.folder / "resume.log").read_text().splitlines()

    assert f"Not run again: {kept} of the {kept} recorded steps" in demo.output
    assert STEPS - kept == len(second)
    assert len(set(second)) == len(second)
    assert len(first) + len(second) - STEPS == len(set(first) & set(second))


def test_the_store_has_each_step_once(demo: Demo) -> None:
    """What was in flight at the kill left no second record."""
    backend = SQLiteBackend(demo.folder / "workflow.db")
    try:
        rows = Operations(backend).history("stdlib-report", limit=1_000).rows
    finally:
        backend.close()

    records = [(row.record.node, row.record.turns) for row in rows]
    assert STEPS == len(records) == len(set(records))
    assert {(StepStatus.SUCCEEDED, 1)} == {(row.record.status, row.record.attempt) for row in rows}


def test_the_report_is_that_of_an_uninterrupted_run(demo: Demo) -> None:
    """Byte for byte, and the demo says so and says where it lies."""
    report = demo.folder / "report.md"

    assert "gives the same report, byte for byte" in demo.output
    assert f"Report: {report}" in demo.output
    assert (demo.folder / "uninterrupted.md").read_bytes() == report.read_bytes()
    assert report.read_text(encoding="utf-8").startswith("# The standard library of Python")


def test_the_demo_tells_the_time_saved(demo: Demo) -> None:
    """A measured number of seconds, and not nothing."""
    match = re.search(r"Time saved: (\d+\.\d) s", demo.output)

    assert match is not None
    assert float(match[1]) > 0


def test_without_a_terminal_the_bar_is_a_line_per_tenth(demo: Demo) -> None:
    """Logs get few lines, no carriage returns, and the end."""
    bars = re.findall(r"^   \[([#.]+)\] +(\d+)%", demo.output, re.MULTILINE)

    assert 4 <= len(bars) <= 16
    assert ("#" * 24, "100") == bars[-1]
    assert "\r" not in demo.output


def test_on_a_terminal_the_bar_stays_in_its_line_of_eighty_columns() -> None:
    """Every state overwrites the one before."""
    shown = "".join(_terminal_output([sys.executable, "-c", _BAR], FOLDER))

    lines = [line for line in shown.replace("\r\n", "\n").splitlines(keepends=True) if line != "\r"]
    assert 1 == shown.count("\n")
    assert 3 == shown.replace("\r\n", "\n").count("\r")
    assert max(len(line.strip("\r\n")) for line in lines) < 80
    assert "51 of 51" in shown


def _terminal_output(command: list[str], folder: Path) -> Iterator[str]:
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        while True:
            try:
                data = os.read(ours, 4096)
            except OSError:  # Linux's way to say that the other end is closed.
                break
            if not data:
                break
            yield data.decode()
    os.close(ours)
