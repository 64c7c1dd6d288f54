"""The laws of workers over many seeds, and that a seed always tells the same story."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sayiir_pytest.fleet import Fleet, campaign, story

SEEDS = int(os.environ.get("SAYIIR_FLEET_SEEDS", "2000"))


@pytest.mark.timeout(900)
def test_every_law_holds_over_many_seeds() -> None:
    """Most of them must have been hard, or the laws would prove nothing."""
    report = campaign(0, SEEDS)
    assert not report.violations, "\n".join(report.violations.values())
    assert report.seeds == SEEDS
    assert report.deaths > SEEDS
    assert report.refused > SEEDS / 10
    assert report.ends["completed"] > SEEDS
    assert (
        min(report.requests[it] for it in ("owned", "replaced", "retried", "timed out")) > SEEDS / 4
    )
    assert min(report.requests[it] for it in ("replaced at work", "refused rows")) > SEEDS / 20
    assert report.requests["broken rows"] > SEEDS
    assert min(report.ends[end] for end in ("failed", "cancelled", "worker died")) > SEEDS / 100


def test_a_seed_tells_the_same_story_twice() -> None:
    assert all(story(seed) == story(seed) for seed in range(5))


def test_a_seed_tells_the_same_story_in_another_process() -> None:
    """Nothing may hang on the order of a set or on the hash of a string."""
    code = "from sayiir_pytest.fleet import story\nfor n in range(8): print(story(n))"
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": str(salt)},
            check=True,
            capture_output=True,
        ).stdout
        for salt in (0, 1, 2)
    }
    assert len(told) == 1


def test_another_seed_tells_another_story() -> None:
    assert len({story(seed) for seed in range(5)}) == 5


def test_the_report_counts_what_happened() -> None:
    report = Fleet(0).run()
    assert report.ends.total() == 3
    assert report.events > 0
