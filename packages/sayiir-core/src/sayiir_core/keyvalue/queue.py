"""Reading the hints of what may be claimable, in claim order or by due time."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from sayiir_core.keyvalue import key
from sayiir_core.keyvalue.hint import HintTarget, read_hint
from sayiir_core.keyvalue.scan import scan_all
from sayiir_core.keyvalue.store import KeyValueStore
from sayiir_core.snapshot.head import Lane


class QueueHint(NamedTuple):
    """The place in the order that was asked for, the key, where it leads, and its lane."""

    order: datetime
    key: str
    target: HintTarget
    lane: Lane


def due_hints(
    store: KeyValueStore, lanes: Collection[Lane], *, now: datetime, aging_interval: timedelta
) -> Iterator[QueueHint]:
    """Yield the hints of these lanes that are due, best first.

    Reads one page per lane and priority, and more only as far as the caller goes on.
    """
    queues = [
        _due(store, lane, priority, now=now, aging_interval=aging_interval)
        for lane, priority in _queues(store, lanes)
    ]
    return heapq.merge(*queues)


def hints_by_due(store: KeyValueStore, lanes: Collection[Lane]) -> Iterator[QueueHint]:
    """Yield all hints of these lanes, those first that are due first."""
    return heapq.merge(*(_hints(store, lane, priority) for lane, priority in _queues(store, lanes)))


def _queues(store: KeyValueStore, lanes: Collection[Lane]) -> Iterator[tuple[Lane, int]]:
    for lane in set(lanes):
        prefix, after = key.lane_prefix(lane), None
        while found := store.scan(prefix, after=after, limit=1):
            priority = key.priority_of_hint(prefix, found[0][0])
            yield lane, priority
            after = key.priority_prefix(prefix, priority) + "~"


def _hints(store: KeyValueStore, lane: Lane, priority: int) -> Iterator[QueueHint]:
    prefix = key.lane_prefix(lane)
    for place, value in scan_all(store, key.priority_prefix(prefix, priority)):
        yield QueueHint(key.due_of_hint(prefix, place), place, read_hint(value), lane)


def _due(
    store: KeyValueStore,
    lane: Lane,
    priority: int,
    *,
    now: datetime,
    aging_interval: timedelta,
) -> Iterator[QueueHint]:
    for hint in _hints(store, lane, priority):
        if hint.order > now:
            return
        yield hint._replace(order=hint.order + priority * aging_interval)
