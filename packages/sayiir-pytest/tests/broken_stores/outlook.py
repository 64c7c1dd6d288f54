"""Bugs in looking ahead; the names of the ports' methods say what they do."""

# ruff: noqa: ARG002, D102

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from broken_stores.claims import BrokenClaims
from sayiir_core.ports.claims import Backlog
from sayiir_core.snapshot.head import Lane
from sayiir_pytest.conformance import ClaimConformance, EquivalenceConformance
from sayiir_runtime.memory.claims import MemoryClaims


class LooksIntoEveryLane(MemoryClaims):
    """Find what is due anywhere."""

    def next_due(self, lanes: Collection[Lane]) -> datetime | None:
        heads = [run.head for run in self._store.runs.values()]
        known = {
            Lane(head.header.identity, cursor.group)
            for head in heads
            for cursor in head.cursors.values()
        }
        return super().next_due(known)


class TestLooksIntoEveryLane(BrokenClaims, ClaimConformance):
    broken = LooksIntoEveryLane


class CountsWhatIsTaken(MemoryClaims):
    """Look at due times, not at who holds or owns the cursor."""

    def next_due(self, lanes: Collection[Lane]) -> datetime | None:
        due = [
            cursor.available_at
            for run in self._store.runs.values()
            for cursor in run.head.cursors.values()
            if cursor.available_at is not None
            and Lane(run.head.header.identity, cursor.group) in lanes
        ]
        return min(due, default=None)


class TestCountsWhatIsTaken(BrokenClaims, ClaimConformance):
    broken = CountsWhatIsTaken


class TestCountsWhatIsTakenInGeneral(BrokenClaims, EquivalenceConformance):
    broken = CountsWhatIsTaken


class NeverLooksBack(MemoryClaims):
    """Answer now for what has been due for long."""

    def next_due(self, lanes: Collection[Lane]) -> datetime | None:
        due = super().next_due(lanes)
        return None if due is None else max(due, self._store.clock.now())


class TestNeverLooksBack(BrokenClaims, ClaimConformance):
    broken = NeverLooksBack


class SeesOnlyWhatIsDue(MemoryClaims):
    """Answer nothing as long as nothing is due."""

    def next_due(self, lanes: Collection[Lane]) -> datetime | None:
        due = super().next_due(lanes)
        return None if due is None or due > self._store.clock.now() else due


class TestSeesOnlyWhatIsDue(BrokenClaims, ClaimConformance):
    broken = SeesOnlyWhatIsDue


class LooksAtTheMostUrgentOnly(MemoryClaims):
    """Answer for the cursor that a claim would give first, not for the one that is due first."""

    def next_due(self, lanes: Collection[Lane]) -> datetime | None:
        queued = [
            ticket.cursor
            for run in self._store.runs.values()
            for ticket in run.tickets.values()
            if ticket.entry and ticket.lane in lanes
        ]
        first = min(queued, key=lambda cursor: cursor.priority, default=None)
        return None if first is None else first.available_at


class TestLooksAtTheMostUrgentOnly(BrokenClaims, ClaimConformance):
    broken = LooksAtTheMostUrgentOnly


class CountsOnAndOn(MemoryClaims):
    """Look at everything that waits, however much it is."""

    def backlog(self, lanes: Collection[Lane], *, at_most: int) -> list[Backlog]:
        return super().backlog(lanes, at_most=1_000_000)


class TestCountsOnAndOn(BrokenClaims, ClaimConformance):
    broken = CountsOnAndOn


class CountsWhatSleeps(MemoryClaims):
    """Count what is queued, whether it is due or not."""

    def backlog(self, lanes: Collection[Lane], *, at_most: int) -> list[Backlog]:
        queue, end = self._store.queue, datetime.max.replace(tzinfo=UTC)
        return [queue.backlog(lane, end, at_most) for lane in set(lanes)]


class TestCountsWhatSleeps(BrokenClaims, ClaimConformance):
    broken = CountsWhatSleeps


class TellsOfFullLanesOnly(MemoryClaims):
    """Leave out the lanes in which nothing waits, so that a gauge would keep its last value."""

    def backlog(self, lanes: Collection[Lane], *, at_most: int) -> list[Backlog]:
        return [found for found in super().backlog(lanes, at_most=at_most) if found.ready]


class TestTellsOfFullLanesOnly(BrokenClaims, ClaimConformance):
    broken = TellsOfFullLanesOnly


class TestTellsOfFullLanesOnlyInGeneral(BrokenClaims, EquivalenceConformance):
    broken = TellsOfFullLanesOnly
