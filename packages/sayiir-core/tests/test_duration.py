"""Durations: three spellings, one gate."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayiir_core.duration import MAX_DURATION, parse_duration, to_timedelta


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0.0),
        (2, 2.0),
        (0.25, 0.25),
        (timedelta(minutes=1), 60.0),
        ("30s", 30.0),
        ("100ms", 0.1),
        ("5m", 300.0),
        ("1.5h", 5400.0),
        ("2d", 172_800.0),
        (" 1 H ", 3600.0),
        (".5s", 0.5),
        ("5MS", 0.005),
    ],
    ids=str,
)
def test_a_duration_is_read_as_seconds(value, seconds):
    """Numbers, timedeltas and texts with a unit mean what they say, case and blanks free."""
    assert parse_duration(value) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "10",
        "1h30m",
        "-1s",
        "s",
        "1 week",
        "1e3s",
        "\N{ARABIC-INDIC DIGIT ONE}s",
        -1,
        -0.001,
        timedelta(seconds=-1),
        math.nan,
        math.inf,
        10**400,
        "1" * 400 + "s",
        MAX_DURATION + timedelta(seconds=1),
        True,
        None,
        b"1s",
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_bad_duration_is_a_value_error(value):
    """Whatever is no length of time, negative, endless or absurd is refused."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(value)


@given(st.timedeltas(min_value=timedelta(0), max_value=MAX_DURATION))
def test_a_timedelta_stays_exactly_itself(value):
    """No microsecond is lost on the way through the gate."""
    assert to_timedelta(value) == value


def test_a_text_becomes_a_timedelta_to_the_microsecond():
    """The friendly spelling gives the exact length."""
    assert to_timedelta("1500ms") == timedelta(seconds=1, milliseconds=500)
