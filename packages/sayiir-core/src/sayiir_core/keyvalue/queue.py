"""Reading the hints of what may be claimable, in claim order."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from sayiir_core.keyvalue import key
from sayiir_core.keyvalue.hint import HintTarget, read_hint
from sayiir_core.keyvalue.scan import scan_all
from sayiir_core.keyvalue.store import KeyValueStore
from sayiir_core.snapshot.head import Lane

QueueHint = tuple[datetime, str, HintTarget]
"""The place in the claim order, the key, and where it leads."""


def due_hints(
    store: KeyValueStore, lanes: Collection[Lane], *, now: datetime, aging_interval: timedelta
) -> Iterator[QueueHint]:
    """Yield the hints of these lanes that are due, best first.

    Reads one page per lane and priority, and more only as far as the caller goes on.
    """
    queues = [
        _due(store, prefix, priority, now=now, aging_interval=aging_interval)
        for prefix in sorted({key.lane_prefix(lane) for lane in lanes})
        for priority in _priorities(store, prefix)
    ]
    return heapq.merge(*queues)


def _priorities(store: KeyValueStore, prefix: str) -> Iterator[int]:
    after = None
    while found := store.scan(prefix, after=after, limit=1):
        priority = key.priority_of_hint(prefix, found[0][0])
        yield priority
        after = key.priority_prefix(prefix, priority) + "~"


def _due(
    store: KeyValueStore,
    prefix: str,
    priority: int,
    *,
    now: datetime,
    aging_interval: timedelta,
) -> Iterator[QueueHint]:
    for place, value in scan_all(store, key.priority_prefix(prefix, priority)):
        due = key.due_of_hint(prefix, place)
        if due > now:
            return
        yield due + priority * aging_interval, place, read_hint(value)
