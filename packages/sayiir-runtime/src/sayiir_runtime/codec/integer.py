"""Decimal text of integers of any size, within the interpreter's limit for one conversion.

The interpreter refuses to convert integers of more than 4,300 digits (a setting, 640 at least),
because that takes quadratic time. Halving keeps each conversion under the smallest setting, and
reading well under quadratic time: half a second for the million digits that are allowed.
"""

from __future__ import annotations

from typing import Final

MAX_DIGITS: Final = 1_000_000
"""The longest integer that is stored or read, so that no stored bytes can hang a process."""

_MAX_BITS: Final = 3_321_928  # the most that surely have no more than MAX_DIGITS digits
_DIRECT_DIGITS: Final = 640
_DIRECT_BITS: Final = 2_100
_DIGITS_PER_BIT: Final = 0.30103


def format_integer(number: int) -> str:
    """Return the decimal digits; raises ``ValueError`` beyond ``MAX_DIGITS``."""
    if number.bit_length() < _DIRECT_BITS:
        return str(number)
    if number.bit_length() > _MAX_BITS:
        raise ValueError(f"an integer of more than {MAX_DIGITS:,} digits")
    return f"-{_digits(-number)}" if number < 0 else _digits(number)


def parse_integer(text: str) -> int:
    """Return the number of a decimal text; raises ``ValueError`` beyond ``MAX_DIGITS``."""
    if len(text) <= _DIRECT_DIGITS:
        return int(text)
    digits = text.removeprefix("-")
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(digits):,} digits, more than {MAX_DIGITS:,}")
    return -_number(digits) if text[0] == "-" else _number(digits)


def _digits(number: int) -> str:
    if number.bit_length() < _DIRECT_BITS:
        return str(number)
    low_width = int(number.bit_length() * _DIGITS_PER_BIT) // 2
    high, low = divmod(number, 10**low_width)
    return _digits(high) + _digits(low).zfill(low_width)


def _number(digits: str) -> int:
    if len(digits) <= _DIRECT_DIGITS:
        return int(digits)
    half = len(digits) // 2
    return int(_number(digits[:-half]) * 10**half + _number(digits[-half:]))
