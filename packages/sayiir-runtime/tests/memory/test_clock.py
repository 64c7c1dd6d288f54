"""The system clock never goes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sayiir_runtime.memory import clock as module
from sayiir_runtime.memory.clock import SystemClock

START = datetime(2026, 1, 1, tzinfo=UTC)


class Times:
    """The two clocks of a system, set by hand."""

    def __init__(self) -> None:
        self.wall = START
        self.elapsed = 100.0

    def now(self, zone: object) -> datetime:
        """Stand for ``datetime.now``."""
        assert zone is UTC
        return self.wall

    def monotonic(self) -> float:
        """Stand for ``time.monotonic``."""
        return self.elapsed

    def pass_(self, seconds: float) -> None:
        """Let both go on."""
        self.wall += timedelta(seconds=seconds)
        self.elapsed += seconds


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Times:
    """Put hand-set clocks in the place of the system's."""
    times = Times()
    monkeypatch.setattr(module, "datetime", times)
    monkeypatch.setattr(module.time, "monotonic", times.monotonic)
    return times


def test_the_clock_follows_the_system(times: Times) -> None:
    """Small steps and jumps forward are followed at once."""
    clock = SystemClock()
    times.pass_(1)
    first = clock.now()
    times.wall += timedelta(days=1)

    assert START + timedelta(seconds=1) == first
    assert START + timedelta(days=1, seconds=1) == clock.now()


def test_a_clock_that_is_set_back_goes_on_at_the_same_pace(times: Times) -> None:
    """Time passes as the monotonic clock says until the system has caught up."""
    clock = SystemClock()
    times.wall -= timedelta(hours=1)

    seen = [clock.now()]
    for _ in range(3):
        times.pass_(600)
        seen.append(clock.now())
    times.pass_(3600)

    assert [START + timedelta(seconds=600 * turn) for turn in range(4)] == seen
    assert times.wall == START + timedelta(seconds=1800)
    assert START + timedelta(seconds=5400) == clock.now() + timedelta(seconds=3600)


def test_the_clock_never_goes_back_when_the_system_catches_up(times: Times) -> None:
    """Whatever the system does, each answer is at least the one before."""
    clock = SystemClock()
    seen = [clock.now()]

    for step in (-5, 2, 2, 2, -10, 3, 30, 0.5, -0.25, 1):
        times.wall += timedelta(seconds=step)
        times.elapsed += 0.5
        seen.append(clock.now())

    assert sorted(seen) == seen


def test_the_real_clock_tells_the_time_in_utc() -> None:
    """An aware instant near the system's."""
    now = SystemClock().now()

    assert UTC is now.tzinfo
    assert abs(datetime.now(UTC) - now) < timedelta(minutes=1)
