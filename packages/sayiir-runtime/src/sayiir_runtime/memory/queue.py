"""The queues of claimable cursors, one per lane.

How this works: a lane has a line per priority, ordered by due time, so that the first of a line is
its best, and a claim merges the firsts of all lines. Cursors that avoid a session for a moment
stand in lines of their own, which that session may have to pass over as a whole; a second heap
says when they move to the common line. An entry is never searched for: when its cursor leaves the
queue the ticket forgets the entry's number, and the entry is dropped when it surfaces. A lane of
which more than half is such waste is rebuilt, so its size stays in proportion to what is queued.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count, islice
from typing import Final

from sayiir_core.ids import SessionId
from sayiir_core.ports.claims import Backlog
from sayiir_core.snapshot.avoidance import Avoidance
from sayiir_core.snapshot.control import claim_order
from sayiir_core.snapshot.head import Lane
from sayiir_runtime.memory.row import Ticket

_TOLERATED_WASTE: Final = 64

Entry = tuple[datetime, int, Ticket]
"""When it is due or its avoidance over, number of the entry, and whose it is."""

Line = tuple[SessionId | None, int]
"""Whom its cursors avoid, and their priority."""


@dataclass(slots=True)
class _Lane:
    lines: dict[Line, list[Entry]] = field(default_factory=dict[Line, list[Entry]])
    avoiding: list[Entry] = field(default_factory=list[Entry])
    waste: int = 0

    def firsts(self) -> Iterator[tuple[Line, Entry]]:
        """Yield the first entry of each line; what has left the queue is dropped from its head."""
        for line in list(self.lines):
            first = self.first(line)
            if first is not None:
                yield line, first

    def first(self, line: Line) -> Entry | None:
        entries = self.lines[line]
        while entries and entries[0][2].entry != entries[0][1]:
            heapq.heappop(entries)
            self.waste -= 1
        if entries:
            return entries[0]
        del self.lines[line]
        return None

    def forget(self, ticket: Ticket) -> None:
        """Make waste of the entries of a ticket."""
        ticket.entry = 0
        self.waste += 1 if ticket.avoided is None else 2
        if self.waste <= _TOLERATED_WASTE or self.waste * 2 <= self.size():
            return
        self.lines = {line: kept for line, it in self.lines.items() if (kept := _living(it))}
        self.avoiding = _living(self.avoiding)
        self.waste = 0

    def size(self) -> int:
        return sum(len(entries) for entries in self.lines.values()) + len(self.avoiding)


def _living(heap: list[Entry]) -> list[Entry]:
    living = [entry for entry in heap if entry[2].entry == entry[1]]
    heapq.heapify(living)
    return living


def _due(heap: list[Entry], now: datetime) -> Iterator[Entry]:
    """Yield what is due and no waste; below an entry of a heap nothing is due before it."""
    places = [0]
    while places:
        place = places.pop()
        if place < len(heap) and heap[place][0] <= now:
            if heap[place][2].entry == heap[place][1]:
                yield heap[place]
            places += (2 * place + 1, 2 * place + 2)


class ClaimQueue:
    """All lanes; it knows cursors that are unheld, unclaimed, of no owner, with a due time."""

    __slots__ = ("_lanes", "_numbers", "aging_interval")

    def __init__(self, aging_interval: timedelta) -> None:
        self.aging_interval = aging_interval
        self._lanes: dict[Lane, _Lane] = {}
        self._numbers = count(1)

    def refresh(self, ticket: Ticket) -> datetime | None:
        """Make the entry of a ticket, or its absence, fit its cursor.

        Returns when the cursor is due if it has just taken its place.
        """
        cursor, header = ticket.cursor, ticket.run.head.header
        due = cursor.available_at
        if due is None or cursor.session is not None or cursor.held or header.owner is not None:
            self.remove(ticket)
            return None
        lane = Lane(header.identity, cursor.group)
        if ticket.entry:
            # Whom it avoids is set by who holds it, so it never changes in the queue.
            if ticket.due == due and ticket.priority == cursor.priority and ticket.lane == lane:
                return None
            self.remove(ticket)
        ticket.lane, ticket.due, ticket.priority = lane, due, cursor.priority
        queue, until = self._lanes.setdefault(lane, _Lane()), cursor.avoid_until
        if until is None or until <= due:
            self._enter(queue, ticket, due, None)
        else:
            self._enter(queue, ticket, due, cursor.avoid)
            heapq.heappush(queue.avoiding, (until, ticket.entry, ticket))
        return due

    def remove(self, ticket: Ticket) -> None:
        """Take a ticket out; nothing happens if it is not in."""
        if ticket.entry:
            assert ticket.lane is not None
            self._lanes[ticket.lane].forget(ticket)

    def take(
        self,
        lanes: Collection[Lane],
        limit: int,
        now: datetime,
        avoidance: Avoidance | None = None,
    ) -> list[Ticket]:
        """Remove and return up to ``limit`` due tickets of these lanes, in claim order."""
        heads: list[tuple[datetime, int, _Lane, Line]] = []
        for name in set(lanes):
            lane = self._lanes.get(name)
            if lane is None:
                continue
            self._end_avoidance(lane, now)
            for line, first in lane.firsts():
                if avoidance is None or not avoidance.passes_over(name, line[0]):
                    self._offer(heads, lane, line, first, now)
        taken: list[Ticket] = []
        while heads and len(taken) < limit:
            _, _, lane, line = heapq.heappop(heads)
            ticket = heapq.heappop(lane.lines[line])[2]
            ticket.entry = 0
            if ticket.avoided is not None:
                lane.waste += 1
            taken.append(ticket)
            self._offer(heads, lane, line, lane.first(line), now)
        return taken

    def next_due(self, lanes: Collection[Lane]) -> datetime | None:
        """Return when the first ticket of these lanes is due, None if there is none."""
        found = [self._lanes[name] for name in set(lanes) if name in self._lanes]
        return min((first[0] for lane in found for _, first in lane.firsts()), default=None)

    def backlog(self, name: Lane, now: datetime, at_most: int) -> Backlog:
        """Return how many tickets of a lane are due, and since when the oldest is."""
        lane = self._lanes.get(name)
        if lane is None:
            return Backlog(name, 0, None)
        due = [first[0] for _, first in lane.firsts() if first[0] <= now]
        ready = islice((1 for heap in lane.lines.values() for _ in _due(heap, now)), at_most)
        return Backlog(name, sum(ready), min(due, default=None))

    def _enter(self, lane: _Lane, ticket: Ticket, due: datetime, avoided: SessionId | None) -> None:
        ticket.entry, ticket.avoided = next(self._numbers), avoided
        entries = lane.lines.setdefault((avoided, ticket.priority), [])
        heapq.heappush(entries, (due, ticket.entry, ticket))

    def _end_avoidance(self, lane: _Lane, now: datetime) -> None:
        while lane.avoiding and lane.avoiding[0][0] <= now:
            _, number, ticket = heapq.heappop(lane.avoiding)
            if ticket.entry == number:
                assert ticket.due is not None
                self._enter(lane, ticket, ticket.due, None)
                lane.waste += 1
            else:
                lane.waste -= 1

    def _offer(
        self,
        heads: list[tuple[datetime, int, _Lane, Line]],
        lane: _Lane,
        line: Line,
        first: Entry | None,
        now: datetime,
    ) -> None:
        if first is not None and first[0] <= now:
            order = claim_order(first[2].cursor, self.aging_interval)
            heapq.heappush(heads, (order, first[1], lane, line))
