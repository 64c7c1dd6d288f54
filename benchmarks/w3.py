"""W3: ten steps on a SQLite file, against one update and one insert per commit."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from chain import STEPS, chain, inc
from guests import guests
from measure import Result, Settings, Side, Target, seconds, take_turns

from sayiir import SQLiteBackend, run_durable_workflow

Level = Literal["FULL", "NORMAL"]

_TARGETS: Mapping[Level, float] = {"FULL": 1.2, "NORMAL": 2.0}


def w3(settings: Settings) -> list[Result]:
    """Measure both levels of durability."""
    return [_measured(settings, level) for level in _TARGETS]


def _measured(settings: Settings, level: Level) -> Result:
    count = settings.size(60)
    folder = settings.folder / f"peers-{level}"
    folder.mkdir()
    with (
        on_file(settings.folder, level, count) as sides,
        guests(settings, f"w3-{level.lower()}", count=count, folder=str(folder)) as peers,
    ):
        times = take_turns(settings.repeats, sides, peers)
    return Result(
        workload="W3",
        what=f"SQLite file, {level}",
        unit="µs/step",
        times=times,
        target=Target(of="limit", at_most=_TARGETS[level]),
        notes=peers.notes,
    )


@contextmanager
def on_file(folder: Path, level: Level, count: int) -> Generator[dict[str, Side]]:
    """Give the sides, each of ``count`` chains in a file of its own."""
    workflow = chain(inc)
    backend = SQLiteBackend(folder / f"ours-{level}.db", synchronous=level)
    raw = _RawStore(folder / f"limit-{level}.db", level)
    numbers = itertools.count()

    def ours() -> None:
        for _ in range(count):
            status = run_durable_workflow(workflow, f"i{next(numbers)}", 0, backend)
            assert status.output == STEPS

    scale = 1e6 / (count * STEPS)
    try:
        yield {
            "ours": lambda: seconds(ours) * scale,
            "limit": lambda: seconds(lambda: raw.run(count)) * scale,
        }
    finally:
        backend.close()
        raw.close()


class _RawStore:
    """The least that a durable step can be: one row changed, one row added, one commit."""

    def __init__(self, path: Path, level: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._numbers = itertools.count()
        execute = self._connection.execute
        execute("PRAGMA journal_mode=WAL")
        execute("PRAGMA synchronous=" + level)
        execute("CREATE TABLE instance(id TEXT PRIMARY KEY, step INT, data TEXT)")
        execute(
            "CREATE TABLE step(instance TEXT, step INT, output TEXT,"
            " PRIMARY KEY (instance, step)) WITHOUT ROWID"
        )

    def run(self, count: int) -> None:
        """Write the rows of ``count`` chains."""
        execute = self._connection.execute
        for _ in range(count):
            key = f"i{next(self._numbers)}"
            execute("INSERT INTO instance VALUES(?, ?, ?)", (key, 0, "0"))
            for step in range(STEPS):
                execute("BEGIN IMMEDIATE")
                execute("UPDATE instance SET step=?, data=? WHERE id=?", (step, str(step), key))
                execute("INSERT INTO step VALUES(?, ?, ?)", (key, step, str(step)))
                execute("COMMIT")

    def close(self) -> None:
        self._connection.close()
