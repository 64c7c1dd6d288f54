"""The metrics: a sink that turns events into what the application's own meter provider collects.

How this works: counts of one batch of events are added up before they are passed on, so that a busy worker
pays for kinds of events and not for events; only durations are recorded one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from opentelemetry import metrics

from sayiir_core.ports.telemetry import (
    BacklogSampled,
    BatchCommitted,
    ClaimAnswered,
    Event,
    EventsDropped,
    LeaseLost,
    NodeClaimed,
    NodeParked,
    RunCreated,
    RunEnded,
    RunRequested,
    SessionReaped,
    SignalSent,
    StepRecorded,
    StoreFailed,
    WorkerSampled,
    WriteRefused,
)
from sayiir_otel import catalogue
from sayiir_otel.catalogue import Metric
from sayiir_otel.label import BUDGET, Budget, Labels
from sayiir_otel.meter import Meter

FORGET: Final = timedelta(minutes=1)
"""After how long a worker that says nothing more is no longer counted."""


_COUNTED: Final[frozenset[type]] = frozenset(
    {
        BacklogSampled,
        BatchCommitted,
        ClaimAnswered,
        EventsDropped,
        LeaseLost,
        NodeClaimed,
        NodeParked,
        RunCreated,
        RunEnded,
        RunRequested,
        SessionReaped,
        SignalSent,
        StepRecorded,
        StoreFailed,
        WorkerSampled,
        WriteRefused,
    }
)
"""What counts; whatever else is told becomes no metric."""


class OtelMetrics:
    """Turn events into metrics; ``budget`` bounds how many names of users become labels."""

    def __init__(
        self, provider: metrics.MeterProvider | None = None, *, budget: int = BUDGET
    ) -> None:
        self.kinds: Final = _COUNTED
        self._meter = Meter(provider)
        self._counts: Counter[tuple[Metric, Labels]] = Counter()
        self._workflows = Budget(budget)
        self._tasks = Budget(budget)
        self._lanes = Budget(budget)
        self._workers: dict[str, WorkerSampled] = {}

    def receive(self, events: Sequence[Event]) -> None:
        """Count and record a batch."""
        for event in events:
            self._take(event)
        for (metric, labels), number in self._counts.items():
            self._meter.add(metric, number, labels)
        self._counts.clear()

    def close(self) -> None:
        """Do nothing: the provider belongs to the application."""

    def _take(self, event: Event) -> None:
        match event:
            case StepRecorded():
                self._step(event)
            case BatchCommitted():
                self._meter.record(catalogue.CHECKPOINT_DURATION, event.duration.total_seconds())
                self._meter.record(catalogue.CHECKPOINT_SIZE, event.size)
            case NodeClaimed():
                lane = self._lanes.admit(event.node.run.workflow_id, event.group)
                self._meter.record(catalogue.QUEUE_WAIT, event.waited.total_seconds(), lane)
            case ClaimAnswered():
                self._meter.record(catalogue.CLAIM_DURATION, event.duration.total_seconds())
            case BacklogSampled():
                lane = self._lanes.admit(event.workflow_id, event.group)
                age = 0.0 if event.waited is None else event.waited.total_seconds()
                self._meter.set(catalogue.QUEUE_READY, event.ready, lane)
                self._meter.set(catalogue.QUEUE_AGE, age, lane)
            case WorkerSampled():
                self._worker(event)
            case _:
                self._count(event)

    def _count(self, event: Event) -> None:
        counts, workflow = self._counts, self._workflows.admit
        match event:
            case RunCreated():
                counts[catalogue.RUNS_CREATED, workflow(event.run.workflow_id)] += 1
            case RunEnded():
                labels = (*workflow(event.run.workflow_id), event.state.value)
                counts[catalogue.RUNS_ENDED, labels] += 1
            case RunRequested():
                labels = (*workflow(event.run.workflow_id), event.request.value)
                counts[catalogue.REQUESTS, labels] += 1
            case NodeParked():
                until = "time" if event.signal is None else "signal"
                counts[catalogue.PARKS, (*workflow(event.node.run.workflow_id), until)] += 1
            case SignalSent():
                counts[catalogue.SIGNALS, ()] += 1
            case WriteRefused():
                counts[catalogue.STALE_WRITES, (event.why.value,)] += 1
            case SessionReaped():
                counts[catalogue.CLAIMS_EXPIRED, ()] += 1
            case LeaseLost():
                counts[catalogue.LEASES_LOST, ()] += 1
            case StoreFailed():
                labels = event.call, event.error, str(event.transient).lower()
                counts[catalogue.STORE_ERRORS, labels] += 1
            case EventsDropped():
                counts[catalogue.EVENTS_DROPPED, ()] += event.count
            case _:
                pass

    def _step(self, event: StepRecorded) -> None:
        run, status = event.node.run, event.status.value
        self._counts[catalogue.STEPS, (*self._workflows.admit(run.workflow_id), status)] += 1
        if event.started_at is None or event.finished_at is None:
            return
        task = self._tasks.admit(run.workflow_id, event.node.path)
        seconds = (event.finished_at - event.started_at).total_seconds()
        self._meter.record(catalogue.TASK_DURATION, seconds, (*task, status))
        if event.retry_at is not None:
            self._counts[catalogue.RETRIES, task] += 1

    def _worker(self, event: WorkerSampled) -> None:
        self._workers[event.worker_id] = event
        self._forget(event.at)
        workers = self._workers.values()
        self._meter.set(catalogue.WORKERS, len(workers))
        self._meter.set(catalogue.WORKER_CAPACITY, sum(each.concurrency for each in workers))
        self._meter.set(catalogue.WORKER_RUNNING, sum(each.running for each in workers))
        self._meter.set(catalogue.WORKERS_POLLING, sum(not each.is_told for each in workers))

    def _forget(self, now: datetime) -> None:
        for worker_id, sample in list(self._workers.items()):
            if sample.at < now - FORGET:
                del self._workers[worker_id]
