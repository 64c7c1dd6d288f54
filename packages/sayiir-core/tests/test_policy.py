"""Policies: delays before retries, error filters, and the gate of the constructor."""

from __future__ import annotations

import copy
import math
import pickle
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayiir_core.duration import MAX_DURATION
from sayiir_core.policy import ConflictPolicy, OnMax, RetryPolicy


class FlakyError(ConnectionError):
    """An error of this module."""


def test_the_stored_words_are_pinned():
    """Stores and documents hold these words; they never change."""
    assert [word.value for word in OnMax] == ["fail", "exit_with_last"]
    assert [word.value for word in ConflictPolicy] == [
        "fail",
        "use_existing",
        "terminate_existing",
    ]


def test_the_defaults_are_two_retries_after_one_and_two_seconds():
    """``RetryPolicy()`` means what the reference means."""
    policy = RetryPolicy()

    delays = [policy.delay_before(retry, salt="") for retry in (1, 2)]

    assert policy == RetryPolicy(2, 1.0, 2.0)
    assert delays == [timedelta(seconds=1), timedelta(seconds=2)]


def test_delays_grow_by_the_multiplier():
    """SEMANTICS 40: retry k waits ``initial × multiplier^(k-1)``."""
    policy = RetryPolicy(3, 0.1, 2.0)

    delays = [policy.delay_before(retry, salt="x").total_seconds() for retry in (1, 2, 3)]

    assert delays == pytest.approx([0.1, 0.2, 0.4])


def test_a_delay_never_exceeds_its_cap():
    """``max_delay`` takes the friendly spellings and bounds every delay."""
    policy = RetryPolicy(100, 1.0, 10.0, max_delay="30s")

    assert policy.delay_before(1, salt="") == timedelta(seconds=1)
    assert policy.delay_before(50, salt="") == timedelta(seconds=30)


def test_a_delay_that_would_overflow_stays_a_delay():
    """A long run of retries ends at the longest duration there is."""
    assert RetryPolicy(10**6, 1.0, 1e300).delay_before(10**6, salt="") == MAX_DURATION
    assert RetryPolicy(10**6, 0.0, 1e300).delay_before(10**6, salt="") == timedelta(0)


@given(st.text(), st.floats(min_value=0, max_value=1), st.integers(min_value=1, max_value=40))
def test_jitter_takes_off_at_most_its_part_and_never_changes(salt, jitter, retry):
    """The same step waits equally long whoever computes it, between the bounds."""
    plain = RetryPolicy(50, 0.5).delay_before(retry, salt=salt)
    policy = RetryPolicy(50, 0.5, jitter=jitter)

    delay = policy.delay_before(retry, salt=salt)

    assert delay == policy.delay_before(retry, salt=salt)
    assert plain * (1 - jitter) - timedelta(microseconds=1) <= delay <= plain


def test_jitter_spreads_different_steps():
    """Two hundred steps that fail together do not come back together."""
    policy = RetryPolicy(jitter=True)

    delays = {policy.delay_before(1, salt=f"run/{step}") for step in range(200)}

    assert len(delays) > 190


def test_without_jitter_the_salt_means_nothing():
    """Delays are exact unless jitter is asked for."""
    policy = RetryPolicy()

    assert policy.delay_before(1, salt="a") == policy.delay_before(1, salt="b")


@pytest.mark.parametrize(
    ("filters", "error", "expected"),
    [
        ({}, ValueError(), True),
        ({"retry_on": [ConnectionError]}, FlakyError(), True),
        ({"retry_on": [ConnectionError]}, ValueError(), False),
        ({"give_up_on": [OSError]}, FlakyError(), False),
        ({"give_up_on": [OSError]}, ValueError(), True),
        ({"retry_on": [OSError], "give_up_on": [FlakyError]}, FlakyError(), False),
        ({"retry_on": [OSError], "give_up_on": [FlakyError]}, ConnectionError(), True),
        ({"retry_on": ["ConnectionError"]}, FlakyError(), True),
    ],
    ids=str,
)
def test_error_filters_cover_subclasses_and_giving_up_wins(filters, error, expected):
    """An error is judged by all of its classes."""
    assert RetryPolicy(**filters).retries(error) is expected


def test_a_policy_is_plain_data():
    """Classes are kept as names, so policies compare, copy, pickle and hash by value."""
    policy = RetryPolicy(3, 0.5, retry_on=[FlakyError, KeyError], jitter=0.25, max_delay=9)

    assert policy.retry_on == (f"{__name__}.FlakyError", "KeyError")
    assert pickle.loads(pickle.dumps(policy)) == policy  # noqa: S301 - our own bytes
    assert copy.copy(policy) == policy
    assert len({policy, copy.deepcopy(policy)}) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_retries", -1),
        ("max_retries", 1.5),
        ("max_retries", True),
        ("initial_delay_secs", -0.1),
        ("initial_delay_secs", math.inf),
        ("initial_delay_secs", 1e300),
        ("initial_delay_secs", "1s"),
        ("backoff_multiplier", -2),
        ("backoff_multiplier", math.nan),
        ("backoff_multiplier", 10**400),
        ("max_delay", "soon"),
        ("jitter", 1.5),
        ("jitter", -0.1),
        ("jitter", None),
        ("retry_on", ConnectionError),
        ("retry_on", "ConnectionError"),
        ("retry_on", [int]),
        ("give_up_on", [ValueError()]),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_bad_setting_is_refused_by_its_name(name, value):
    """The constructor is the gate: no policy holds a setting that cannot work."""
    with pytest.raises(ValueError, match="duration" if name == "max_delay" else name):
        RetryPolicy(**{name: value})
