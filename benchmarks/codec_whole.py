"""Writing whole values and reading whole values: where rkyv loses."""

from __future__ import annotations

from functools import partial

import orjson
from codec_data import DECODERS, ENCODERS, best, head, orders, row, shown

SIZES = {"1 KiB": 1 << 10, "20 KiB": 20 << 10, "1 MiB": 1 << 20, "10 MiB": 10 << 20}


def encode(*, quick: bool) -> list[str]:
    """Return the table of writing."""
    lines = [head("JSON size", *ENCODERS, "rkyv / orjson")]
    for name, value in _values(quick):
        sides = [partial(write, value) for write in ENCODERS.values()]
        times = best(sides, budget=0.1 if quick else 0.6)
        lines.append(row(name, *map(shown, times), f"{times[-1] / times[0]:.2g}"))
    return lines


def decode(*, quick: bool) -> list[str]:
    """Return the table of reading all."""
    lines = [head("JSON size", *DECODERS, "rkyv / orjson")]
    for name, value in _values(quick):
        stored = {side: write(value) for side, write in ENCODERS.items()}
        sides = [partial(read, stored[side]) for side, read in DECODERS.items()]
        times = best(sides, budget=0.1 if quick else 0.6)
        lines.append(row(name, *map(shown, times), f"{times[-1] / times[0]:.2g}"))
    return lines


def size(*, quick: bool) -> list[str]:
    """Return the table of stored bytes."""
    lines = [head("value", "JSON", "MessagePack", "rkyv")]
    for name, value in [
        *_values(quick),
        ("100,000 floats", [number / 7 for number in range(100_000)]),
        ("20,000 dicts, no two with the same keys", [{f"k{n}": n} for n in range(20_000)]),
    ]:
        written = ENCODERS["ormsgpack"](value), ENCODERS["rkyv codec"](value)
        lines.append(row(name, f"{len(orjson.dumps(value)):,}", *(f"{len(w):,}" for w in written)))
    return lines


def _values(quick: bool) -> list[tuple[str, object]]:
    small = {"id": 7, "status": "paid", "total": 99.5, "items": ["a", "b"], "note": None}
    values: list[tuple[str, object]] = [("100 B, flat", small)]
    sizes = [item for item in SIZES.items() if not (quick and item[1] > 1 << 20)]
    return values + [(name, orders(wanted)) for name, wanted in sizes]
