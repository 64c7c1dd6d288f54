"""The queues of claimable cursors, one per lane.

How this works: an entry waits in a heap ordered by due time and is moved, once due, to a heap in
claim order. An entry is never searched for: when its cursor leaves the queue the ticket forgets
the entry's number, and the entry is dropped when it surfaces. A lane of which more than half is
such waste is rebuilt, so its size stays in proportion to what is really queued.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Final

from sayiir_core.snapshot.control import claim_order
from sayiir_core.snapshot.head import Lane
from sayiir_runtime.memory.row import Ticket

_TOLERATED_WASTE: Final = 64

Entry = tuple[datetime, int, Ticket]
"""Sort key, number of the entry, and whose it is."""


@dataclass(slots=True)
class _Lane:
    waiting: list[Entry] = field(default_factory=list[Entry])
    due: list[Entry] = field(default_factory=list[Entry])
    waste: int = 0

    def drop_waste(self) -> None:
        self.waste += 1
        if self.waste <= max(_TOLERATED_WASTE, (len(self.waiting) + len(self.due)) // 2):
            return
        for heap in (self.waiting, self.due):
            heap[:] = [entry for entry in heap if entry[2].entry == entry[1]]
            heapq.heapify(heap)
        self.waste = 0


class ClaimQueue:
    """All lanes; it knows cursors that are unheld, unclaimed, of no owner, with a due time."""

    __slots__ = ("_aging_interval", "_lanes", "_numbers")

    def __init__(self, aging_interval: timedelta) -> None:
        self._aging_interval = aging_interval
        self._lanes: dict[Lane, _Lane] = {}
        self._numbers = count(1)

    def refresh(self, ticket: Ticket) -> None:
        """Make the entry of a ticket, or its absence, fit its cursor."""
        cursor, header = ticket.cursor, ticket.run.head.header
        due = cursor.available_at
        if due is None or cursor.session is not None or cursor.held or header.owner is not None:
            self.remove(ticket)
            return
        lane = Lane(header.identity, cursor.group)
        if ticket.entry:
            if ticket.due == due and ticket.priority == cursor.priority and ticket.lane == lane:
                return
            self.remove(ticket)
        ticket.entry, ticket.lane = next(self._numbers), lane
        ticket.due, ticket.priority = due, cursor.priority
        heapq.heappush(self._lanes.setdefault(lane, _Lane()).waiting, (due, ticket.entry, ticket))

    def remove(self, ticket: Ticket) -> None:
        """Take a ticket out; nothing happens if it is not in."""
        if ticket.entry:
            assert ticket.lane is not None
            ticket.entry = 0
            self._lanes[ticket.lane].drop_waste()

    def take(self, lanes: Collection[Lane], limit: int, now: datetime) -> list[Ticket]:
        """Remove and return up to ``limit`` due tickets of these lanes, in claim order."""
        served = [self._lanes[lane] for lane in set(lanes) if lane in self._lanes]
        heads: list[tuple[datetime, int, int]] = []
        for position, lane in enumerate(served):
            self._promote(lane, now)
            self._offer(heads, position, lane)
        taken: list[Ticket] = []
        while heads and len(taken) < limit:
            position = heapq.heappop(heads)[2]
            lane = served[position]
            ticket = heapq.heappop(lane.due)[2]
            ticket.entry = 0
            taken.append(ticket)
            self._offer(heads, position, lane)
        return taken

    def _promote(self, lane: _Lane, now: datetime) -> None:
        while lane.waiting and lane.waiting[0][0] <= now:
            _, number, ticket = heapq.heappop(lane.waiting)
            if ticket.entry == number:
                order = claim_order(ticket.cursor, self._aging_interval)
                heapq.heappush(lane.due, (order, number, ticket))
            else:
                lane.waste -= 1

    def _offer(self, heads: list[tuple[datetime, int, int]], position: int, lane: _Lane) -> None:
        while lane.due and lane.due[0][2].entry != lane.due[0][1]:
            heapq.heappop(lane.due)
            lane.waste -= 1
        if lane.due:
            order, number, _ = lane.due[0]
            heapq.heappush(heads, (order, number, position))
