"""The benchmarks run, and nothing has become several times slower than it may be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOOSE = 10
"""Targets are for a quiet machine and full sizes; tests share theirs with other tests."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Measure the two quick workloads that need no server."""
    output = tmp_path_factory.mktemp("benchmarks") / "results.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), "--quick", "--only", "W1,W3"]
    done = subprocess.run(
        [*command, "--output", str(output)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    sys.stdout.write(done.stdout)
    assert "" == done.stderr
    measured: list[dict[str, Any]] = json.loads(output.read_text())["results"]
    return measured


def test_the_results_have_a_row_for_each_target(results: list[dict[str, Any]]) -> None:
    """Each with ours and the raw limit, taken in turn."""
    rows = [(row["workload"], row["what"]) for row in results]

    assert [
        ("W1", "in process"),
        ("W1", "in process, computing"),
        ("W3", "SQLite file, FULL"),
        ("W3", "SQLite file, NORMAL"),
    ] == rows
    assert all(len(row["times"]["ours"]) == len(row["times"]["limit"]) == 3 for row in results)


def test_overhead_stays_near_its_targets(results: list[dict[str, Any]]) -> None:
    """A loose bound that only a change of order of magnitude breaks."""
    too_slow = [
        (row["what"], row["judged"])
        for row in results
        if row["judged"] is not None and row["judged"] > LOOSE * row["target"]["at_most"]
    ]

    assert [] == too_slow


def test_an_unknown_workload_is_refused_with_the_known_ones() -> None:
    """A typing error measures nothing and says so."""
    command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), "--only", "W99"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert 2 == done.returncode
    assert "'W99' is none of W1, W1b, W2, W3, W4, W5, " in done.stderr
