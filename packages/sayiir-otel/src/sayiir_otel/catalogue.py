"""Every metric of this package: its name, kind, unit, labels and meaning, in one table.

How this works: instruments are made of the table, and the documentation, the dashboard and the tests are
held against it. Labels are fixed: a workflow, a task, a lane, or one of a few words. An instance is never one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """Say how a metric adds up."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One metric; ``buckets`` are the bounds of a histogram."""

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()

    @property
    def prometheus(self) -> str:
        """Return the name under which the Prometheus exporter shows it, without a suffix of parts."""
        name = self.name.replace(".", "_")
        if self.unit == "s":
            name += "_seconds"
        return f"{name}_total" if self.kind is Kind.COUNTER else name


_SECONDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
    1800.0,
)  # fmt: skip
_SIZES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1000.0)

TASK_DURATION: Final = Metric(
    "sayiir.task.duration", Kind.HISTOGRAM, "s", ("workflow", "task", "status"),
    "how long bodies ran, by how the attempt was recorded", _SECONDS,
)  # fmt: skip
QUEUE_WAIT: Final = Metric(
    "sayiir.queue.wait", Kind.HISTOGRAM, "s", ("workflow", "lane"),
    "how long a cursor had been due when it was claimed", _SECONDS,
)  # fmt: skip
CHECKPOINT_DURATION: Final = Metric(
    "sayiir.checkpoint.duration", Kind.HISTOGRAM, "s", (),
    "how long the store took for a batch of checkpoints", _SECONDS,
)  # fmt: skip
CHECKPOINT_SIZE: Final = Metric(
    "sayiir.checkpoint.size", Kind.HISTOGRAM, "{checkpoint}", (),
    "how many checkpoints were sent together", _SIZES,
)  # fmt: skip
CLAIM_DURATION: Final = Metric(
    "sayiir.claim.duration", Kind.HISTOGRAM, "s", (),
    "how long the store took to answer a pool that asked for work", _SECONDS,
)  # fmt: skip
STEPS: Final = Metric(
    "sayiir.steps", Kind.COUNTER, "{step}", ("workflow", "status"),
    "recorded attempts, those of delays and signals included",
)  # fmt: skip
RETRIES: Final = Metric(
    "sayiir.retries", Kind.COUNTER, "{retry}", ("workflow", "task"),
    "attempts that were recorded as to be made again",
)  # fmt: skip
RUNS_CREATED: Final = Metric(
    "sayiir.runs.created", Kind.COUNTER, "{run}", ("workflow",), "runs that were stored"
)
RUNS_ENDED: Final = Metric(
    "sayiir.runs.ended", Kind.COUNTER, "{run}", ("workflow", "state"),
    "runs that have completed or failed",
)  # fmt: skip
REQUESTS: Final = Metric(
    "sayiir.requests", Kind.COUNTER, "{request}", ("workflow", "request"),
    "cancels, pauses, unpauses and retries that were accepted",
)  # fmt: skip
PARKS: Final = Metric(
    "sayiir.parks", Kind.COUNTER, "{park}", ("workflow", "until"),
    "cursors parked until a time, or for a signal",
)  # fmt: skip
SIGNALS: Final = Metric(
    "sayiir.signals", Kind.COUNTER, "{signal}", (), "signals that were stored or delivered"
)
STALE_WRITES: Final = Metric(
    "sayiir.writes.stale", Kind.COUNTER, "{write}", ("reason",),
    "late writes that changed nothing, as their guard did not hold any more",
)  # fmt: skip
CLAIMS_EXPIRED: Final = Metric(
    "sayiir.sessions.reaped", Kind.COUNTER, "{session}", (),
    "dead sessions whose claims were freed",
)  # fmt: skip
LEASES_LOST: Final = Metric(
    "sayiir.leases.lost", Kind.COUNTER, "{lease}", (),
    "sessions of this process that others had ended",
)  # fmt: skip
STORE_ERRORS: Final = Metric(
    "sayiir.store.errors", Kind.COUNTER, "{error}", ("call", "error", "transient"),
    "calls of a store that raised",
)  # fmt: skip
EVENTS_DROPPED: Final = Metric(
    "sayiir.events.dropped", Kind.COUNTER, "{event}", (),
    "events that did not become metrics, because too many waited",
)  # fmt: skip
QUEUE_READY: Final = Metric(
    "sayiir.queue.ready", Kind.GAUGE, "{cursor}", ("workflow", "lane"),
    "cursors that could be claimed, counted up to a bound",
)  # fmt: skip
QUEUE_AGE: Final = Metric(
    "sayiir.queue.oldest.age", Kind.GAUGE, "s", ("workflow", "lane"),
    "how long the oldest claimable cursor has been due",
)  # fmt: skip
WORKERS: Final = Metric("sayiir.workers", Kind.GAUGE, "{worker}", (), "workers of this process")
WORKER_CAPACITY: Final = Metric(
    "sayiir.worker.capacity", Kind.GAUGE, "{task}", (), "bodies that may run at once here"
)
WORKER_RUNNING: Final = Metric(
    "sayiir.worker.running", Kind.GAUGE, "{task}", (), "bodies that run here"
)
WORKERS_POLLING: Final = Metric(
    "sayiir.workers.polling", Kind.GAUGE, "{worker}", (),
    "workers that look for work as nothing tells them of it",
)  # fmt: skip

METRICS: Final = (
    TASK_DURATION, QUEUE_WAIT, CHECKPOINT_DURATION, CHECKPOINT_SIZE, CLAIM_DURATION,
    STEPS, RETRIES, RUNS_CREATED, RUNS_ENDED, REQUESTS, PARKS, SIGNALS, STALE_WRITES,
    CLAIMS_EXPIRED, LEASES_LOST, STORE_ERRORS, EVENTS_DROPPED,
    QUEUE_READY, QUEUE_AGE, WORKERS, WORKER_CAPACITY, WORKER_RUNNING, WORKERS_POLLING,
)  # fmt: skip
"""All of them."""
