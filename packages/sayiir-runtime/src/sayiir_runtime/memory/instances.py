"""Create, load, list and prune runs in memory."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sayiir_core.ids import InstanceId
from sayiir_core.ports.instances import (
    Created,
    Exists,
    InstancePage,
    InstanceQuery,
    NewInstance,
)
from sayiir_core.snapshot.birth import born
from sayiir_core.snapshot.head import Head, Header, InstanceState
from sayiir_runtime.memory.row import Run, copy_head
from sayiir_runtime.memory.store import Store

_RUNNING: Final = InstanceState.RUNNING


class MemoryInstances:
    """The instance port of the memory backend."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, batch: Sequence[NewInstance]) -> list[Created | Exists]:
        """Create each run, or answer which one has its id."""
        store = self._store
        with store.lock:
            for new in batch:
                if new.owner is not None:
                    store.live_session(new.owner)
            now = store.clock.now()
            answers = [self._create(new, now) for new in batch]
        if store.hints.listeners:
            store.hints.tell()
        return answers

    def _create(self, new: NewInstance, now: datetime) -> Created | Exists:
        store = self._store
        existing = store.runs.get(new.instance_id)
        if existing is not None:
            if not new.replace:
                return Exists(copy_head(existing.head))
            store.remove_run(existing)
            store.hints.ended.note()
        header = _header(new, now)
        head, claim = born(header, node=new.node, group=new.group, priority=new.priority)
        inbox = store.inboxes.get(new.instance_id)
        if inbox is not None:
            if existing is not None:
                inbox.clear()
            head.inbox = inbox.pending
        store.add_run(head, new.input)
        return Created(copy_head(head), claim)

    def load(self, instance_id: InstanceId) -> Head:
        """Return a copy of the head."""
        with self._store.lock:
            return copy_head(self._store.run(instance_id).head)

    def headers(self, instance_ids: Sequence[InstanceId]) -> list[Header | None]:
        """Return copies of headers, None for an unknown instance."""
        with self._store.lock:
            runs = [self._store.runs.get(instance_id) for instance_id in instance_ids]
            return [None if run is None else run.head.header.copy() for run in runs]

    def select(self, query: InstanceQuery) -> InstancePage:
        """Return one page of headers, newest first."""
        store = self._store
        with store.lock:
            numbers = store.numbers
            end = len(numbers) if query.after is None else _position(numbers, query.after)
            found: list[Run] = []
            more = False
            for position in range(end - 1, -1, -1):
                run = store.by_number[numbers[position]]
                if query.selects(run.head.header):
                    more = len(found) == query.limit
                    if more:
                        break
                    found.append(run)
            headers = [run.head.header.copy() for run in found]
            return InstancePage(headers, str(found[-1].number) if more else None)

    def prune(self, *, finished_before: datetime, limit: int) -> int:
        """Remove up to ``limit`` runs that ended before an instant, with all that is theirs."""
        store = self._store
        with store.lock:
            ended = [run for run in store.runs.values() if _prunable(run.head, finished_before)]
            pruned = ended[:limit]
            for run in pruned:
                store.remove_run(run)
                store.inboxes.pop(run.head.header.instance_id, None)
            return len(pruned)


def _header(new: NewInstance, now: datetime) -> Header:
    return Header(
        new.instance_id,
        new.run_id,
        new.identity,
        new.policy_fingerprint,
        now,
        _RUNNING,
        new.owner,
        None,
        None,
        None,
        None,
        dict(new.labels),
        new.trace_parent,
    )


def _position(numbers: list[int], after: str) -> int:
    if not (after.isascii() and after.isdigit()):
        raise ValueError(f"{after[:80]!r} is not the `next` of a page of this store")
    return bisect_left(numbers, int(after))


def _prunable(head: Head, finished_before: datetime) -> bool:
    header = head.header
    return (
        header.state in (InstanceState.COMPLETED, InstanceState.FAILED, InstanceState.CANCELLED)
        and header.finished_at is not None
        and header.finished_at < finished_before
        and not head.executing
    )
