"""Instants as stored numbers, and the clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayiir_sqlite.clock import StoreClock, span_micros, system_micros, to_instant, to_micros

ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(
    st.datetimes(
        min_value=datetime(1900, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
        max_value=datetime(9990, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
        timezones=ZONES,
    )
)
def test_an_instant_keeps_every_microsecond(instant: datetime) -> None:
    """Come back equal and in UTC."""
    back = to_instant(to_micros(instant))

    assert instant == back
    assert UTC is back.tzinfo


@given(st.timedeltas())
def test_a_length_of_time_keeps_every_microsecond(span: timedelta) -> None:
    """Agree with exact division."""
    assert span // timedelta(microseconds=1) == span_micros(span)


def test_the_system_clock_follows_jumps_forward_and_goes_on_evenly_after_jumps_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Never go back, and never stand still."""
    wall, elapsed = 1_000_000_000, 0
    monkeypatch.setattr(time, "time_ns", lambda: wall)
    monkeypatch.setattr(time, "monotonic_ns", lambda: elapsed)
    micros = system_micros()
    seen = [micros()]

    wall, elapsed = wall + 5_000_000, 2_000_000
    seen.append(micros())
    wall, elapsed = 0, 3_000_000
    seen.append(micros())

    assert [1_000_000, 1_005_000, 1_006_000] == seen


def test_the_clock_of_the_system_tells_the_time() -> None:
    """Be near the interpreter's own clock."""
    before = datetime.now(UTC)

    now = StoreClock(None).now()

    assert before - timedelta(seconds=1) < now < datetime.now(UTC) + timedelta(seconds=1)
