"""A worker's health, case by case."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sayiir_core.ids import SessionId
from sayiir_runtime.health.checkup import Health, check
from sayiir_runtime.worker.handle import WorkerReport

WELL = WorkerReport(
    worker_id="w",
    session=SessionId("s"),
    is_draining=False,
    held=0,
    running=[],
    abandoned=0,
    trouble=None,
    hints=None,
    counts={},
    concurrency=4,
    lease=timedelta(seconds=30),
    heartbeat_age=5.0,
    loop_lag=0.0,
    ended_threads=[],
)


def test_a_worker_without_trouble_is_live_and_ready() -> None:
    """Nothing to say: every check is ok."""
    checkup = check(WELL)

    assert (Health.WELL, True, True) == (checkup.health, checkup.is_live, checkup.is_ready)
    assert {"ok"} == set(checkup.checks.values())


@pytest.mark.parametrize(
    ("change", "name", "health"),
    [
        ({"ended_threads": ["w-clerk"]}, "threads", Health.DEAD),
        ({"loop_lag": 61.0}, "loop", Health.DEAD),
        ({"loop_lag": 2.0}, "loop", Health.UNREADY),
        ({"trouble": "connection refused"}, "store", Health.UNREADY),
        ({"heartbeat_age": 31.0}, "heartbeat", Health.UNREADY),
        ({"heartbeat_age": None}, "heartbeat", Health.UNREADY),
        ({"abandoned": 4}, "pool", Health.UNREADY),
        ({"is_draining": True}, "draining", Health.UNREADY),
        ({"hints": "no listener"}, "listener", Health.WELL),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else str(value),
)
def test_each_trouble_is_named_and_weighed(
    change: dict[str, Any], name: str, health: Health
) -> None:
    """Say which check failed, and only that; what passes by itself is no death."""
    checkup = check(replace(WELL, **change))

    assert health == checkup.health
    assert [name] == [each for each, word in checkup.checks.items() if word != "ok"]
