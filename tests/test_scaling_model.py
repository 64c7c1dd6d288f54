"""The model of throughput: what it must say of any constants, and how far it is off for those measured."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.scaling_model import (
    Constants,
    Load,
    Machine,
    Shape,
    Store,
    fit,
    pages,
    predict,
)

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
CONSTANTS = Constants(instance=Load(48e-6, 8e-6, 900.0), step=Load(46e-6, 80e-6, 570.0))
CHAIN = Shape("chain of 4", 4)
LARGE = Machine("large", 16, 32, worker_cores=32, disk_bytes=125e6, disk_operations=3_000)


def test_two_chains_give_back_the_constants_that_made_them() -> None:
    """The fit inverts the prediction."""
    one, other = Shape("short", 1), Shape("long", 20)

    found = fit(other, CONSTANTS.load(other), one, CONSTANTS.load(one))

    for part in ("instance", "step"):
        for name in ("server", "client", "log"):
            wanted = getattr(getattr(CONSTANTS, part), name)
            assert wanted == pytest.approx(getattr(getattr(found, part), name))


def test_a_branch_costs_as_an_instance_does() -> None:
    """A fork of four with its first and last step costs five instances and six steps."""
    load = CONSTANTS.load(Shape("fork", 6, branches=4))

    assert (5 * 48e-6 + 6 * 46e-6) / 6 == pytest.approx(load.server)


@pytest.mark.parametrize(
    ("machine", "store", "first"),
    [
        (Machine("small", 2, 8), Store(), "cores"),
        (Machine("small", 4, 1), Store(), "worker processes (one core each)"),
        (LARGE, Store(), "disk bandwidth"),
        (replace(LARGE, disk_bytes=math.inf), Store(), "server cores"),
        (replace(LARGE, disk_bytes=math.inf, worker_cores=4), Store(), "worker cores"),
        (LARGE, Store(1_000_000_000, memory=24e9), "disk reads"),
        (replace(LARGE, disk_bytes=math.inf, sync_seconds=1.0), Store(), "one commit at a time"),
        (replace(LARGE, disk_bytes=math.inf, connections=12), Store(), "connections"),
    ],
)
def test_each_resource_can_be_the_first_to_end(machine: Machine, store: Store, first: str) -> None:
    """And the rate is its bound."""
    found = predict(CONSTANTS, CHAIN, machine, store)

    assert first == found.first
    assert min(found.bounds.values()) == found.rate


def test_more_stored_steps_make_a_step_dearer_unless_runs_are_in_order() -> None:
    """What is touched at random grows with what is there; what is appended does not."""
    counts = [pages(CONSTANTS, CHAIN, Store(steps), 4_000) for steps in (0, 10**5, 10**6, 10**8)]
    rates = [predict(CONSTANTS, CHAIN, LARGE, Store(steps)).rate for steps in (0, 10**7, 10**9)]
    ordered = {
        predict(CONSTANTS, CHAIN, LARGE, Store(steps, ordered=True)).rate for steps in (0, 10**9)
    }

    assert sorted(counts) == counts
    assert counts[-1] <= 2 * 4_000
    assert sorted(rates, reverse=True) == rates
    assert len(ordered) == 1
    assert ordered.pop() >= rates[0]


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    """Let the command speak of the measurements that are kept."""
    command = [sys.executable, str(BENCHMARKS / "scaling.py"), "predict", "--json"]
    done = subprocess.run(
        [*command, str(BENCHMARKS / "scaling_measured.json")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_the_log_of_what_was_not_fitted_is_predicted_within_a_tenth(said: dict[str, Any]) -> None:
    """Bytes do not depend on how busy the machine was: forks from chains, many processes from one."""
    errors = {it["run"]: it["log"][2] for it in said["checks"] if not it["fitted"]}

    assert len(errors) >= 8
    assert {} == {run: off for run, off in errors.items() if abs(off) > 0.1}


def test_the_cpu_time_of_few_processes_is_predicted_within_a_quarter(said: dict[str, Any]) -> None:
    """Of chains with up to two processes; with more processes than cores it is not, and that is told."""
    errors = {
        it["run"]: max(abs(it["server_us"][2]), abs(it["client_us"][2]))
        for it in said["checks"]
        if not it["fitted"] and it["run"].startswith("chain") and it["processes"] <= 2
    }

    assert len(errors) >= 3
    assert {} == {run: off for run, off in errors.items() if off > 0.25}


def test_full_pages_beside_a_million_steps_are_predicted_within_a_fifth(
    said: dict[str, Any],
) -> None:
    """By the number of random keys and the size of their indexes alone."""
    errors = [it["pages"][2] for it in said["pages"] if it["beside"] > 1_000_000]

    assert len(errors) == 2
    assert max(map(abs, errors)) < 0.2
