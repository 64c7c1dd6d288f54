"""Bugs with runs; the names of the ports' methods say what they do."""

# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from broken_stores.making import Broken
from sayiir_core.ids import InstanceId
from sayiir_core.ports.instances import Created, InstancePage, InstanceQuery, NewInstance
from sayiir_core.snapshot.head import Head, PendingSignal
from sayiir_pytest.conformance import (
    InstanceConformance,
)
from sayiir_runtime.memory.instances import MemoryInstances


class BrokenInstances(Broken):
    """Break the instance port."""

    port = "instances"


class SharesItsHeads(MemoryInstances):
    """Hand out the stored head itself."""

    def load(self, instance_id: InstanceId) -> Head:
        return self._store.run(instance_id).head


class TestSharesItsHeads(BrokenInstances, InstanceConformance):
    broken = SharesItsHeads


class PagesByOffset(MemoryInstances):
    """Count from the newest run to find the next page."""

    def select(self, query: InstanceQuery) -> InstancePage:
        start = int(query.after or 0)
        page = super().select(replace(query, after=None, limit=10**6))
        end = start + query.limit
        more = str(end) if len(page.headers) > end else None
        return InstancePage(page.headers[start:end], more)


class TestPagesByOffset(BrokenInstances, InstanceConformance):
    broken = PagesByOffset


class KeepsSignalsOnReplace(MemoryInstances):
    """Let the signals of the old run reach the new one."""

    def create(self, batch: Sequence[NewInstance]) -> list[Any]:
        kept = {new.instance_id: self._signals(new.instance_id) for new in batch}
        answers = super().create(batch)
        for answer in answers:
            if isinstance(answer, Created):
                head = self._store.runs[answer.head.header.instance_id].head
                missing = [it for it in kept[head.header.instance_id] if it not in head.inbox]
                head.inbox.extend(missing)
                inbox = self._store.inboxes.get(head.header.instance_id)
                if inbox is not None:
                    inbox.pending = head.inbox
        return answers

    def _signals(self, instance_id: InstanceId) -> list[PendingSignal]:
        inbox = self._store.inboxes.get(instance_id)
        return [] if inbox is None else list(inbox.pending)


class TestKeepsSignalsOnReplace(BrokenInstances, InstanceConformance):
    broken = KeepsSignalsOnReplace


class PrunesWhatStillRuns(MemoryInstances):
    """Look at the state of a run, not at who still executes in it."""

    def prune(self, *, finished_before: Any, limit: int) -> int:
        for run in self._store.runs.values():
            if run.head.header.finished_at is not None:
                for ticket in run.tickets.values():
                    self._store.release(ticket)
        return super().prune(finished_before=finished_before, limit=limit)


class TestPrunesWhatStillRuns(BrokenInstances, InstanceConformance):
    broken = PrunesWhatStillRuns
