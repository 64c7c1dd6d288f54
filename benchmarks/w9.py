"""W9: a payload of 1 and 10 MiB through five steps on a SQLite file, and smaller ones for the series.

Every turn has a new file. The limit writes the value with orjson and inserts it, once per step, with
commits that reach the disk. Ours stores the input, too, and every step reads what it is given; that
is what the second limit does. With rkyv every step reads one field of a ``Lazy``; all but the last
return it as it is, the last one what it has read.
"""

from __future__ import annotations

import importlib.util
import sqlite3
import statistics
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from chain import chain, same
from guests import Guests, guests
from measure import Result, Series, Settings, Side, Target, seconds, take_turns

from sayiir import Flow, Lazy, SQLiteBackend, run_durable_workflow
from sayiir_pytest.postgres_server import PostgresServer

_STEPS = 5
_MOST_TURNS = 5
_TURNS_OF_SMALL = 25
_SMALL = 100 << 10
_MIB = 1 << 20
_SIZES = (1 << 10, 10 << 10, 100 << 10, 1 << 20, 10 << 20)
_ABSENT = "the native codec is not installed: run 'python3 dev.py native'"


def w9(settings: Settings) -> list[Result | Series]:
    """Measure all sizes; 1 and 10 MiB have rows."""
    sizes = _SIZES if settings.scale == 1 else _SIZES[:-1]
    lines: dict[str, list[tuple[float, float]]] = {}
    rows: list[Result] = []
    for size in sizes:
        times, peers = _turns(replace(settings, repeats=_repeats(settings, size)), size)
        for side, label in _LABELS.items():
            if side in times:
                point = (size / 1024, statistics.median(times[side]))
                lines.setdefault(label, []).append(point)
        rows += _rows(size >> 20, times, peers) if size >= _MIB else []
    series = Series(
        workload="W9",
        name="payload",
        title="A step against the size of its payload",
        across="KiB of JSON",
        unit="ms per step",
        lines=lines,
        logarithmic="xy",
    )
    return [*rows, series]


def _turns(settings: Settings, size: int) -> tuple[dict[str, list[float]], Guests]:
    """Let all sides take turns; peers only where there are rows, on a server if there are any."""
    folder, sides = settings.folder / "peers", _sides(settings.folder, size)
    folder.mkdir(exist_ok=True)
    if not settings.peers or size < _MIB:
        return take_turns(settings.repeats, sides), Guests(settings.missing)
    with (
        PostgresServer(fsync=True) as server,
        guests(settings, "w9", server, mib=size / _MIB, folder=str(folder)) as peers,
    ):
        return take_turns(settings.repeats, sides, peers), peers


def _repeats(settings: Settings, size: int) -> int:
    """Return how often sides take turns: a small payload takes no longer than a hiccup does."""
    return _TURNS_OF_SMALL if size <= _SMALL else min(_MOST_TURNS, settings.repeats)


_LABELS = {
    "json": "JSON",
    "rkyv": "rkyv, one field",
    "written": "limit",
    "read": "limit that reads, too",
}


def _rows(mib: int, times: dict[str, list[float]], peers: Guests) -> list[Result]:
    views = {"ours": times["rkyv"]} if "rkyv" in times else {}
    pairs: list[tuple[str, dict[str, list[float]], str, float]] = [
        (f"{mib} MiB, JSON", {"ours": times["json"]}, "written", 1.2),
        (f"{mib} MiB, JSON; limit reads, too", {"ours": times["json"]}, "read", 1.2),
        (f"{mib} MiB, rkyv, one field", views, "written", 0.4),
    ]
    return [
        Result(
            workload="W9",
            what=what,
            unit="ms/step",
            times=ours | {"limit": times[limit]} | (peers.times() if limit == "written" else {}),
            target=Target(of="limit", at_most=at_most),
            notes=peers.notes | ({} if ours else {"ours": _ABSENT}),
        )
        for what, ours, limit, at_most in pairs
    ]


def _sides(folder: Path, size: int) -> dict[str, Side]:
    value = _rows_of_json(size)
    found: dict[str, Side] = {
        "json": lambda: _ours(folder, chain(same, _STEPS), value, "json"),
        "written": lambda: _raw(folder, value, _STEPS, reads=False),
        "read": lambda: _raw(folder, value, _STEPS + 1, reads=True),
    }
    if importlib.util.find_spec("sayiir_rkyv"):
        found["rkyv"] = lambda: _ours(folder, _looking(), value, "rkyv")
    return found


def _looking() -> Any:
    flow: Any = Flow("looking")
    for number in range(_STEPS - 1):
        flow = flow.then(_pass_on, name=f"s{number}")
    return flow.then(_look, name="last").build()


def _pass_on(rows: Lazy[list[Any]]) -> Lazy[list[Any]]:
    assert _look(rows)
    return rows


def _look(rows: Lazy[list[Any]]) -> bool:
    return bool(rows.at(0, "ok"))


def _rows_of_json(size: int) -> list[dict[str, Any]]:
    """Return so many bytes of JSON, as applications have them."""
    row = {"name": "customer name here", "tags": ["a", "b", "c"], "price": 12.5, "ok": True}
    one = len(orjson.dumps({"id": 0, **row}))
    return [{"id": number, **row} for number in range(max(1, size // one))]


def _ours(folder: Path, workflow: Any, value: Any, codec: str) -> float:
    def run(backend: SQLiteBackend, name: str, value: Any) -> None:
        assert run_durable_workflow(workflow, name, value, backend, codec=codec).is_completed()

    with _new_file(folder) as path, closing(SQLiteBackend(path, synchronous="FULL")) as backend:
        run(backend, "warm", value[:1])
        return seconds(lambda: run(backend, "one", value)) / _STEPS * 1e3


def _raw(folder: Path, value: Any, inserts: int, *, reads: bool) -> float:
    def run(execute: Callable[..., object]) -> None:
        for step in range(inserts):
            text = orjson.dumps(value)
            execute("INSERT INTO step VALUES (?, ?)", (step, text))
            if reads:
                orjson.loads(text)

    with _new_file(folder) as path, closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("PRAGMA synchronous = FULL")
        raw.execute("CREATE TABLE step (number INT, output BLOB)")
        return seconds(lambda: run(raw.execute)) / _STEPS * 1e3


@contextmanager
def _new_file(folder: Path) -> Generator[Path]:
    path = folder / "w9.db"
    try:
        yield path
    finally:
        for each in folder.glob("w9.db*"):
            each.unlink()
