"""Damaged scalars of rich codecs that once came back as other values, silently."""

from __future__ import annotations

import datetime as dt
import decimal

import pytest

from sayiir_runtime.codec.extension import DATETIME, DECIMAL, unpack_scalar


@pytest.mark.parametrize("zone", [b"[Nowhere/Land]", b"[Europe/Berlin]", b"[foldA1]", b"[fold=2]"])
def test_a_zone_without_an_offset_is_damage(zone: bytes) -> None:
    """It came back as a datetime of no zone where the machine did not know the zone."""
    with pytest.raises(ValueError, match=r"a time zone without the offset|no date or time"):
        unpack_scalar(DATETIME, b"2026-10-25T02:30:00" + zone)


def test_an_unknown_zone_with_an_offset_keeps_the_instant() -> None:
    """As it always did."""
    value = unpack_scalar(DATETIME, b"2026-10-25T02:30:00+01:00[Nowhere/Land]")

    assert dt.datetime(2026, 10, 25, 1, 30, tzinfo=dt.UTC) == value


@pytest.mark.parametrize("text", [b"1x5", b"", b"1_0", b"--1", b"Inf"])
def test_a_decimal_that_is_none_is_damage_in_every_context(text: bytes) -> None:
    """It came back as NaN where the caller's context does not trap invalid operations."""
    with (
        decimal.localcontext(decimal.Context(traps=[])),
        pytest.raises(ValueError, match="no decimal number"),
    ):
        unpack_scalar(DECIMAL, text)
