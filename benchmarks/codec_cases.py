"""Cases of their own: forks that share a document, plucking, blobs, threads, and losses."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from typing import Any

import orjson
import ormsgpack
from codec_data import RKYV, START, best, head, orders, payload, row, shown


def cases(*, quick: bool) -> list[str]:
    """Return the table of single cases."""
    lines = [head("case", "rkyv", "orjson", "ormsgpack", "orjson / rkyv")]
    large = orders((1 << 20) if quick else (10 << 20))
    found = [
        *_forks(orders(64 << 10)),
        *_scans(large, "1 MiB" if quick else "10 MiB"),
        *_blob(1 << 20 if quick else 5 << 20),
        _keys(20_000),
        _strings(),
        _floats(),
    ]
    for name, sides in found:
        times = best(sides, budget=0.1 if quick else 0.4)
        lines.append(row(name, *map(shown, times), f"{times[1] / times[0]:.2g}"))
    return lines


def threads(*, quick: bool) -> list[str]:
    """Return what one other thread, busy in Python, does to a read and to opening a document."""
    value = orders(20 << 10)
    text, data = orjson.dumps(value), payload(value)
    view = RKYV.view(data, START, 0)
    sides: dict[str, Callable[[], object]] = {
        "a field of an open view": lambda: view["orders"][9]["id"],
        "opening 20 KiB and one field": lambda: RKYV.view(data, START, 0)["orders"][9]["id"],
        "orjson.loads of 20 KiB and one field": lambda: orjson.loads(text)["orders"][9]["id"],
    }
    budget = 0.2 if quick else 1.5
    quiet = [_mean(side, budget) for side in sides.values()]
    stop = threading.Event()
    thread = threading.Thread(target=_busy, args=(stop,))
    thread.start()
    try:
        busy = [_mean(side, budget) for side in sides.values()]
    finally:
        stop.set()
        thread.join()
    lines = [head("mean of", "alone", "one busy thread beside", "ratio")]
    for name, alone, beside in zip(sides, quiet, busy, strict=True):
        lines.append(row(name, shown(alone), shown(beside), f"{beside / alone:.2g}"))
    return lines


def _forks(value: dict[str, Any]) -> list[tuple[str, list[Callable[[], object]]]]:
    text, packed, data = orjson.dumps(value), ormsgpack.packb(value), payload(value)

    def shared(branches: int) -> None:
        view = RKYV.view(data, START, 0)
        for branch in range(branches):
            record = view["orders"][branch]
            _ = record["id"], record["qty"], record["address"]["city"]

    def separate(branches: int, decode: Callable[[], Any]) -> None:
        for branch in range(branches):
            record = decode()["orders"][branch]
            _ = record["id"], record["qty"], record["address"]["city"]

    return [
        (
            f"fork × {branches}: one 64 KiB input, each branch reads 3 fields",
            [
                lambda branches=branches: shared(branches),
                lambda branches=branches: separate(branches, lambda: orjson.loads(text)),
                lambda branches=branches: separate(branches, lambda: ormsgpack.unpackb(packed)),
            ],
        )
        for branches in (10, 100)
    ]


def _scans(value: dict[str, Any], size: str) -> list[tuple[str, list[Callable[[], object]]]]:
    text, packed, data = orjson.dumps(value), ormsgpack.packb(value), payload(value)
    view = RKYV.view(data, START, 0)
    count = len(value["orders"])
    whole: list[Callable[[], object]] = [
        lambda: [each["qty"] for each in orjson.loads(text)["orders"]],
        lambda: [each["qty"] for each in ormsgpack.unpackb(packed)["orders"]],
    ]
    return [
        (f"pluck one field of {count:,} records ({size}), natively", [
            lambda: RKYV.view(data, START, 0)["orders"].pluck("qty"), *whole]),
        ("the same of an open view", [lambda: view["orders"].pluck("qty"), *whole]),
        ("the same by a loop in Python", [lambda: [each["qty"] for each in view["orders"]], *whole]),
    ]  # fmt: skip


def _blob(size: int) -> list[tuple[str, list[Callable[[], object]]]]:
    blob = bytes(size)
    text = orjson.dumps({"blob": base64.b64encode(blob).decode()})
    packed, data = ormsgpack.packb({"blob": blob}), payload({"blob": blob})
    name = f"a blob of {size >> 20} MiB"
    return [
        (f"{name}: write", [
            lambda: RKYV.encode({"blob": blob}),
            lambda: orjson.dumps({"blob": base64.b64encode(blob).decode()}),
            lambda: ormsgpack.packb({"blob": blob})]),
        (f"{name}: open, as a window", [
            lambda: RKYV.view(data, START, 0)["blob"],
            lambda: base64.b64decode(orjson.loads(text)["blob"]),
            lambda: ormsgpack.unpackb(packed)["blob"]]),
    ]  # fmt: skip


def _keys(count: int) -> tuple[str, list[Callable[[], object]]]:
    value = {f"customer-{number}": number for number in range(count)}
    text, packed, data = orjson.dumps(value), ormsgpack.packb(value), payload(value)
    key = f"customer-{count // 2}"
    return f"one of {count:,} keys of one dict", [
        lambda: RKYV.view(data, START, 0)[key],
        lambda: orjson.loads(text)[key],
        lambda: ormsgpack.unpackb(packed)[key],
    ]


def _strings() -> tuple[str, list[Callable[[], object]]]:
    value = [f"{number:04d}" * 250 for number in range(500)]
    text, packed, data = orjson.dumps(value), ormsgpack.packb(value), payload(value)
    return "one of 500 texts of 1,000 bytes", [
        lambda: RKYV.view(data, START, 0)[250],
        lambda: orjson.loads(text)[250],
        lambda: ormsgpack.unpackb(packed)[250],
    ]


def _floats() -> tuple[str, list[Callable[[], object]]]:
    value = [number / 7 for number in range(100_000)]
    text, packed, data = orjson.dumps(value), ormsgpack.packb(value), payload(value)
    return "one of 100,000 floats", [
        lambda: RKYV.view(data, START, 0)[50_000],
        lambda: orjson.loads(text)[50_000],
        lambda: ormsgpack.unpackb(packed)[50_000],
    ]


def _busy(stop: threading.Event) -> None:
    number = 0
    while not stop.is_set():
        number += 1


def _mean(side: Callable[[], object], seconds: float) -> float:
    import time

    end, count = time.perf_counter() + seconds, 0
    start = time.perf_counter()
    while time.perf_counter() < end:
        side()
        count += 1
    return (time.perf_counter() - start) / count * 1e6
