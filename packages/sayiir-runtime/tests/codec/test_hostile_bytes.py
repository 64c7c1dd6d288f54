"""Whatever the bytes: a value or a named error, never anything else."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from sayiir_core.errors import (
    CorruptPayloadError,
    DeserializationError,
    PayloadError,
    TruncatedPayloadError,
)
from sayiir_runtime.codec import JsonCodec, PayloadCodec

PAYLOADS = PayloadCodec([JsonCodec()])
SAMPLES: list[Any] = [
    7,
    123456789,
    -1.5e300,
    'text with " and \\ and \u20ac',
    None,
    True,
    [1, [2, [3]], {}],
    {"id": "ord-1", "items": [{"sku": "a", "qty": 12}], "note": None},
    2**70,
    [float("nan"), float("-inf"), "\ud800"],
    10**700,
]


class Order(BaseModel):
    """A typed reader of the same bytes."""

    id: str
    items: list[dict[str, Any]]


def read(payload: bytes) -> None:
    """Read plainly and typed; any error but the named ones escapes."""
    for attempt in (PAYLOADS.decode, lambda data: PAYLOADS.decode_as(data, Order)):
        with suppress(DeserializationError):
            attempt(payload)


@pytest.mark.parametrize("value", SAMPLES, ids=lambda value: ascii(value)[:30])
def test_a_payload_cut_anywhere_is_truncated(value: Any) -> None:
    """Also a number cut to a shorter number, and also for a typed reader."""
    payload = PAYLOADS.encode(value)

    for size in range(len(payload)):
        with pytest.raises(TruncatedPayloadError):
            PAYLOADS.decode(payload[:size])
        with pytest.raises(TruncatedPayloadError):
            PAYLOADS.decode_as(payload[:size], Order)


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_arbitrary_bytes_are_no_payload(data: bytes) -> None:
    """Bytes without the magic never become a value."""
    if not data.startswith(b"\xf5S\x01"):
        with pytest.raises(PayloadError):
            PAYLOADS.decode(data)
    read(data)


@given(st.integers(min_value=0x40, max_value=0x4F), st.binary(max_size=100))
@settings(max_examples=500)
def test_an_arbitrary_body_is_a_value_or_a_named_error(descriptor: int, body: bytes) -> None:
    """Under every flag, with and without the end mark."""
    header = b"\xf5S\x01" + bytes((descriptor,)) + b"json"

    read(header + body)
    read(header + body + b"\n")


def test_mutated_payloads_give_a_value_or_a_named_error() -> None:
    """Flipped, dropped, doubled and swapped bytes of real payloads, 20,000 times."""
    chance = random.Random(20_260)
    payloads = [PAYLOADS.encode(value) for value in SAMPLES]

    for _ in range(20_000):
        data = bytearray(chance.choice(payloads))
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(2, len(data))
            match chance.randrange(4):
                case 0:
                    data[place] ^= 1 << chance.randrange(8)
                case 1:
                    del data[place]
                case 2:
                    data.insert(place, chance.randrange(256))
                case _:
                    data[place:place] = data[: place + 1]
            if len(data) < 3:
                break
        read(bytes(data))


@pytest.mark.parametrize("flags", [0x40, 0x41])
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"9" * 1_000_001,
        b'"' + b"\\ud800" * 100_000 + b'"',
        b"1e999999999",
        b"-",
        b'{"a":1,"a":2}',
        b"[1]\n[2]",
    ],
    ids=["lists", "dicts", "digits", "surrogates", "exponent", "minus", "twice", "two"],
)
def test_bombs_are_defused(flags: int, body: bytes) -> None:
    """Depth, digits and repetition end in a value or a named error, promptly."""
    read(b"\xf5S\x01" + bytes((flags,)) + b"json" + body + b"\n")


def test_a_damaged_text_with_its_end_mark_is_corrupt() -> None:
    """Whole but unreadable is another error than cut short."""
    with pytest.raises(CorruptPayloadError, match="restore the row from a backup"):
        PAYLOADS.decode(b'\xf5S\x01\x40json{"a":}\n')
