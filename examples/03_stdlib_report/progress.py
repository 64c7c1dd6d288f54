"""What the onlooker sees: the recorded steps of an instance, and a bar that shows how many."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from flow import INSTANCE_ID, STEPS, build

from sayiir import InstanceNotFoundError, Operations, SQLiteBackend
from sayiir_core.snapshot.step import StepRecord

_WIDTH = 24
_PAGE = 20


class Step(NamedTuple):
    """One recorded step: what the log calls it, and when it ran."""

    name: str
    started_at: datetime
    finished_at: datetime


class Watcher:
    """Read the history of the instance from its store, a page further at each look."""

    def __init__(self, database: str) -> None:
        self._operations = Operations(SQLiteBackend(database))
        self._paths = [node.path for node in build().definition.nodes]
        self._known: list[Step] = []
        self._after: str | None = None

    def steps(self) -> list[Step]:
        """Return all steps recorded so far, oldest first; none if the instance is not there yet."""
        try:
            while True:
                page = self._operations.history(INSTANCE_ID, after=self._after, limit=_PAGE)
                steps = [self._step(row.record) for row in page.rows]
                if page.next is None:
                    return self._known + steps
                self._known += steps
                self._after = page.next
        except InstanceNotFoundError:
            return []

    def _step(self, record: StepRecord) -> Step:
        path = self._paths[record.node]
        turn = f" batch {record.turns[-1] + 1}" if record.turns else ""
        name = path.rpartition("/")[2]
        assert record.started_at is not None
        assert record.finished_at is not None
        return Step(name + turn, record.started_at, record.finished_at)


class Bar:
    """Draw how far a run is: in place on a terminal, else a line for every tenth of the way."""

    def __init__(self) -> None:
        self._in_place = sys.stdout.isatty()
        self._tenth = -1

    def draw(self, done: int, last: str) -> None:
        """Show the number of recorded steps and the name of the last one."""
        share = done / STEPS
        filled = "#" * int(share * _WIDTH)
        line = f"   [{filled:.<{_WIDTH}}] {share:4.0%}  {done:2} of {STEPS} steps  {last:<19}"
        if self._in_place:
            print(f"\r{line}", end="", flush=True)
        elif int(share * 10) > self._tenth:
            self._tenth = int(share * 10)
            print(line.rstrip(), flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Leave the line."""
        if self._in_place:
            print()


def covered(steps: list[Step]) -> timedelta:
    """Return how long at least one of the steps was running; side by side counts once."""
    total = timedelta(0)
    end: datetime | None = None
    for step in sorted(steps, key=lambda step: step.started_at):
        start = step.started_at if end is None else max(end, step.started_at)
        total += max(step.finished_at - start, timedelta(0))
        end = step.finished_at if end is None else max(end, step.finished_at)
    return total
