"""Heads under lock: what was read of runs, and the difference that is written back.

How this works: a transaction locks rows and turns them into (partial) heads; a pure function of
the core changes the heads in place; ``Changes`` collects what must be written. A cursor row
repeats the owner of its instance, so a head that holds cursors only still knows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sayiir_core.ids import InstanceId, RunId
from sayiir_core.snapshot.apply import Applied
from sayiir_core.snapshot.head import Cursor, CursorKey, Head
from sayiir_core.snapshot.step import ScopeRow, StepRow
from sayiir_postgres.rows import (
    CURSOR_WIDTH,
    Row,
    bare_header,
    cursor_of,
    definition_of,
    header_of,
    run_of_cursor,
)


@dataclass(slots=True)
class LockedRun:
    """A (partial) head of a run, and which of its cursors the store has."""

    head: Head
    definition: int
    stored: set[CursorKey] = field(default_factory=set[CursorKey])
    touched: set[CursorKey] = field(default_factory=set[CursorKey])
    header_changed: bool = False

    @property
    def run_id(self) -> RunId:
        """Return the id of the run."""
        return self.head.header.run_id

    @property
    def instance_id(self) -> InstanceId:
        """Return the id of the instance."""
        return self.head.header.instance_id

    def add(self, row: Row) -> None:
        """Take in a locked cursor row."""
        cursor = cursor_of(row)
        self.head.cursors[cursor.key] = cursor
        self.stored.add(cursor.key)

    def touch(self, cursors: Iterable[Cursor]) -> None:
        """Note cursors that were changed."""
        self.touched.update(cursor.key for cursor in cursors)

    def touch_all(self) -> None:
        """Note that the header and, since they repeat the owner, all cursors were changed."""
        self.header_changed = True
        self.touched.update(self.head.cursors)


@dataclass(slots=True)
class Changes:
    """What a transaction writes."""

    steps: list[tuple[RunId, StepRow]] = field(default_factory=list[tuple[RunId, StepRow]])
    scopes: list[tuple[RunId, ScopeRow]] = field(default_factory=list[tuple[RunId, ScopeRow]])
    consumed: list[tuple[InstanceId, int, RunId]] = field(
        default_factory=list[tuple[InstanceId, int, RunId]]
    )
    runs: list[LockedRun] = field(default_factory=list[LockedRun])

    def take(self, run: LockedRun, applied: Applied) -> None:
        """Note what a commit did to a run."""
        self.steps += ((run.run_id, row) for row in applied.steps)
        self.scopes += ((run.run_id, row) for row in applied.scopes)
        self.consumed += ((run.instance_id, seq, run.run_id) for seq in applied.consumed)
        run.touch(applied.touched)
        run.touch(applied.added)
        run.touched.update(applied.removed)
        run.header_changed |= applied.header_changed


def locked_instances(rows: Iterable[Row]) -> dict[RunId, LockedRun]:
    """Return heads without cursors, from rows of ``header_columns``."""
    runs = (LockedRun(Head(header=header_of(row)), definition_of(row)) for row in rows)
    return {run.run_id: run for run in runs}


def add_known_cursors(runs: dict[RunId, LockedRun], rows: Iterable[Row]) -> None:
    """Add cursors, from rows of ``cursor_columns``, to those heads that there are.

    Cursors are read in a later statement than instances. An instance that was created in between
    was not seen there, and is none of the reader's.
    """
    for row in rows:
        run = runs.get(run_of_cursor(row)[0])
        if run is not None:
            run.add(row)


def add_cursors(runs: dict[RunId, LockedRun], rows: Iterable[Row]) -> None:
    """Add cursors to the heads of their runs; a run whose header was not locked gets a bare one.

    The rows hold ``cursor_columns`` and ``run_columns``.
    """
    for row in rows:
        run_id, _, owner = run_of_cursor(row)
        run = runs.get(run_id)
        if run is None:
            header = bare_header(row[CURSOR_WIDTH:])
            header.owner = owner
            run = runs[run_id] = LockedRun(Head(header=header), definition_of(row[CURSOR_WIDTH:]))
        run.add(row)


def changes_over(rows: Iterable[Row]) -> Changes:
    """Return changes over bare heads, from rows of ``cursor_columns`` and ``run_columns``."""
    runs: dict[RunId, LockedRun] = {}
    add_cursors(runs, rows)
    return Changes(runs=list(runs.values()))
