"""The virtual clock moves when it is told to, and only forward."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sayiir_pytest.clock import START, VirtualClock
from sayiir_pytest.conformance.threads import together


def test_a_clock_stands_still() -> None:
    """Tell the start until it is moved."""
    clock = VirtualClock()

    assert (START, START) == (clock.now(), clock.now())


@pytest.mark.parametrize("step", [timedelta(seconds=1.5), 1.5])
def test_a_clock_moves_by_a_timedelta_or_by_seconds(step: timedelta | float) -> None:
    """Return the new instant, and tell it from then on."""
    clock = VirtualClock()

    moved = clock.advance(step)

    assert START + timedelta(seconds=1.5) == moved == clock.now()


def test_a_clock_moves_to_an_instant() -> None:
    """Stop exactly there."""
    clock = VirtualClock()
    instant = START + timedelta(days=3, microseconds=1)

    clock.advance_to(instant)

    assert instant == clock.now()


def test_a_clock_never_goes_back() -> None:
    """Refuse a negative step and a past instant, and stay."""
    clock = VirtualClock()

    with pytest.raises(ValueError, match="never goes back"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="never goes back"):
        clock.advance_to(START - timedelta(microseconds=1))
    assert START == clock.now()


def test_a_clock_tells_utc_whatever_it_was_started_with() -> None:
    """Convert an aware start, and refuse a naive one."""
    elsewhere = datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))

    clock = VirtualClock(elsewhere)

    assert (elsewhere, UTC) == (clock.now(), clock.now().tzinfo)
    with pytest.raises(ValueError, match="aware"):
        VirtualClock(datetime(2026, 5, 1))  # noqa: DTZ001


def test_no_step_is_lost_between_threads() -> None:
    """Add up the steps of all threads."""
    clock = VirtualClock()

    together([lambda: [clock.advance(1) for _ in range(200)]] * 4)

    assert START + timedelta(seconds=800) == clock.now()
