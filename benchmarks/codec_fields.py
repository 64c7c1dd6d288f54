"""Reading one field of a document: decode all of it, look at it, or look at what is open."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import msgpack
import orjson
import ormsgpack
from codec_data import (
    MSGSPEC_DECODER,
    MSGSPEC_ENCODER,
    RKYV,
    START,
    best,
    head,
    orders,
    payload,
    row,
    shown,
)

SIZES = {
    "1 KiB": 1 << 10,
    "2 KiB": 2 << 10,
    "4 KiB": 4 << 10,
    "8 KiB": 8 << 10,
    "20 KiB": 20 << 10,
    "1 MiB": 1 << 20,
    "10 MiB": 10 << 20,
}


def one_field(*, quick: bool) -> list[str]:
    """Return the table of one field of documents of several sizes."""
    lines = [
        head(
            "JSON size",
            "orjson",
            "ormsgpack",
            "msgpack",
            "msgspec",
            "rkyv, cold",
            "rkyv, open",
            "orjson / cold",
        )
    ]
    for name, size in SIZES.items():
        if quick and size > 1 << 20:
            continue
        times = best(_sides(orders(size)), budget=0.1 if quick else 0.6)
        lines.append(row(name, *map(shown, times), f"{times[0] / times[4]:.2g}"))
    return lines


def memory(*, quick: bool) -> list[str]:
    """Return what decoding and looking allocate beyond the payload."""
    value = orders(1 << 20 if quick else 10 << 20)
    text, data = orjson.dumps(value), payload(value)
    lines = [head("reading one field of", "payload", "allocated")]
    name = "1 MiB" if quick else "10 MiB"
    for side, size, run in (
        ("orjson", len(text), lambda: orjson.loads(text)["orders"][17]["id"]),
        ("rkyv", len(data), lambda: RKYV.view(data, START, 0)["orders"][17]["id"]),
    ):
        lines.append(row(f"{name}, {side}", f"{size:,}", f"{_peak(run):,}"))
    return lines


def _sides(value: dict[str, Any]) -> list[Callable[[], object]]:
    place = len(value["orders"]) // 2
    text, packed, data = orjson.dumps(value), ormsgpack.packb(value), payload(value)
    other = MSGSPEC_ENCODER.encode(value)
    view = RKYV.view(data, START, 0)
    return [
        lambda: orjson.loads(text)["orders"][place]["id"],
        lambda: ormsgpack.unpackb(packed)["orders"][place]["id"],
        lambda: msgpack.unpackb(packed)["orders"][place]["id"],
        lambda: MSGSPEC_DECODER.decode(other)["orders"][place]["id"],
        lambda: RKYV.view(data, START, 0)["orders"][place]["id"],
        lambda: view["orders"][place]["id"],
    ]


def _peak(run: Callable[[], object]) -> int:
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
