"""Integers of any size become decimal digits and come back."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayiir_runtime.codec.integer import MAX_DIGITS, format_integer, parse_integer


@pytest.fixture
def smallest_limit() -> Iterator[None]:
    """Set the interpreter's own limit as low as it goes."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    yield
    sys.set_int_max_str_digits(before)


@given(st.integers())
def test_small_integers_are_written_as_python_writes_them(number: int) -> None:
    """There is one decimal form of a number."""
    assert str(number) == format_integer(number)


@pytest.mark.parametrize("exponent", [631, 632, 633, 640, 641, 1279, 4299, 4300, 4301, 20_001])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_integers_at_powers_of_ten_come_back(
    smallest_limit: None, exponent: int, sign: int, offset: int
) -> None:
    """Halving loses no zero, whatever limit the process has set for conversions."""
    number = sign * (10**exponent + offset)

    text = format_integer(number)

    digits = "9" * exponent if offset < 0 else f"1{'0' * (exponent - 1)}{offset}"
    assert ("-" if sign < 0 else "") + digits == text
    assert number == parse_integer(text)


def test_an_integer_beyond_the_limit_is_refused_both_ways() -> None:
    """No stored bytes can keep a process busy for minutes."""
    with pytest.raises(ValueError, match="1,000,000 digits"):
        format_integer(1 << 3_400_000)
    with pytest.raises(ValueError, match="more than 1,000,000"):
        parse_integer("-" + "1" * (MAX_DIGITS + 1))
