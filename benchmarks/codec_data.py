"""What the codec benchmarks store: records like orders, of a wanted size, and what each side does.

A side is a function that is called many times. Its time is processor time, the best of several
blocks, because a busy machine only ever adds. Ratios of sides that took turns are the point.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgpack
import msgspec
import orjson
import ormsgpack

from sayiir_rkyv import RkyvCodec
from sayiir_runtime.codec import JsonCodec

START = 8
HEADER = b"\xf5S\x01\x40rkyv"
JSON_HEADER = b"\xf5S\x01\x40json"
BLOCKS = 7

RKYV = RkyvCodec()
JSON = JsonCodec()
MSGSPEC_ENCODER = msgspec.msgpack.Encoder()
MSGSPEC_DECODER = msgspec.msgpack.Decoder()

ENCODERS: dict[str, Callable[[Any], Any]] = {
    "orjson": orjson.dumps,
    "ormsgpack": ormsgpack.packb,
    "msgpack": msgpack.packb,
    "msgspec": MSGSPEC_ENCODER.encode,
    "json codec": lambda value: JSON.encode(value)[1],
    "rkyv codec": lambda value: RKYV.encode(value)[1],
}

DECODERS: dict[str, Callable[[Any], Any]] = {
    "orjson": orjson.loads,
    "ormsgpack": ormsgpack.unpackb,
    "msgpack": lambda data: msgpack.unpackb(data, strict_map_key=False),
    "msgspec": MSGSPEC_DECODER.decode,
    "json codec": lambda data: JSON.decode(JSON_HEADER + data, START, 0),
    "rkyv codec": lambda data: RKYV.decode(HEADER + data, START, 0),
}


def order(number: int) -> dict[str, Any]:
    """Return one record."""
    return {
        "id": 100_000 + number,
        "sku": f"sku-{number % 977:04d}",
        "qty": number % 7 + 1,
        "price": 19.5 + number % 100,
        "currency": "EUR",
        "paid": number % 3 != 0,
        "note": None if number % 4 else f"please ring twice, order {number}",
        "tags": ["new", "gift", f"batch-{number % 13}"],
        "address": {
            "name": f"Customer {number}",
            "street": f"Long Street {number % 200}",
            "zip": f"{10_000 + number % 89_999}",
            "city": "Berlin",
            "country": "DE",
            "geo": [52.5 + number % 10 / 100, 13.4],
        },
    }


def orders(size: int) -> dict[str, Any]:
    """Return a document whose JSON has about so many bytes."""
    each = len(orjson.dumps([order(number) for number in range(100)])) / 100
    return {"orders": [order(number) for number in range(max(1, round(size / each)))], "v": 1}


def payload(value: Any) -> bytes:
    """Return the rkyv payload of a value."""
    return HEADER + RKYV.encode(value)[1]


def best(sides: Sequence[Callable[[], object]], *, budget: float = 0.15) -> list[float]:
    """Return the microseconds of one call of each side: blocks in turn, the best of each."""
    loops = [_loops(side, budget / BLOCKS) for side in sides]
    times: list[list[float]] = [[] for _ in sides]
    enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in range(BLOCKS):
            for side, number, taken in zip(sides, loops, times, strict=True):
                taken.append(_block(side, number))
            gc.collect()
    finally:
        if enabled:
            gc.enable()
    return [min(taken) for taken in times]


def row(*cells: object) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(map(str, cells))} |"


def head(*cells: object) -> str:
    """Return the first two rows of a Markdown table."""
    return f"{row(*cells)}\n|{'---|' * len(cells)}"


def shown(microseconds: float) -> str:
    """Return a time with three digits, in the unit that suits it."""
    if microseconds >= 1000:
        return f"{microseconds / 1000:.3g} ms"
    return f"{microseconds:.3g} µs"


def _loops(side: Callable[[], object], seconds: float) -> int:
    start = time.thread_time()
    side()
    once = max(time.thread_time() - start, 1e-7)
    return max(1, min(20_000, round(seconds / once)))


def _block(side: Callable[[], object], number: int) -> float:
    start = time.thread_time_ns()
    for _ in range(number):
        side()
    return (time.thread_time_ns() - start) / number / 1000
