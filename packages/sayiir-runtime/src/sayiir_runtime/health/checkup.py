"""What a worker's report says of its health: pure, so that each case can be told by an example.

How this works: a worker that cannot recover by itself is not *live*, and whoever keeps it running should start
another. One that does not get anywhere for now, or is about to end, is not *ready*; that a store is away is
no reason to end a worker, which waits for it and loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sayiir_runtime.worker.handle import WorkerReport

LONGEST_LAG_SECONDS: Final = 60.0
"""How long a blocked event loop is waited for."""

NOTICED_LAG_SECONDS: Final = 1.0
OK: Final = "ok"


class Health(StrEnum):
    """Say how a worker does."""

    WELL = "ok"
    UNREADY = "not ready"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Checkup:
    """The verdict, and each check by its name with "ok" or what is wrong."""

    health: Health
    checks: dict[str, str]

    @property
    def is_live(self) -> bool:
        """Tell whether the worker can go on."""
        return self.health is not Health.DEAD

    @property
    def is_ready(self) -> bool:
        """Tell whether it takes and ends work at this moment."""
        return self.health is Health.WELL


def check(report: WorkerReport) -> Checkup:
    """Judge a worker by its report."""
    deadly = {"threads": _threads(report), "loop": _loop(report, LONGEST_LAG_SECONDS)}
    passing = {
        "store": OK if report.trouble is None else f"cannot be reached: {report.trouble}",
        "heartbeat": _heartbeat(report),
        "pool": _pool(report),
        "loop": _loop(report, NOTICED_LAG_SECONDS),
        "draining": "is stopping" if report.is_draining else OK,
    }
    # Without hints a worker looks by itself, so that is worth a word and no verdict.
    told = {"listener": OK if report.hints is None else f"looks by itself: {report.hints}"}
    checks = {**passing, **told, **deadly, "loop": passing["loop"]}
    if any(word != OK for word in deadly.values()):
        return Checkup(Health.DEAD, checks)
    if any(word != OK for word in passing.values()):
        return Checkup(Health.UNREADY, checks)
    return Checkup(Health.WELL, checks)


def _threads(report: WorkerReport) -> str:
    ended = report.ended_threads
    return f"ended: {', '.join(ended)}" if ended else OK


def _loop(report: WorkerReport, longest: float) -> str:
    if report.loop_lag <= longest:
        return OK
    return f"has not turned for {report.loop_lag:.1f} s; a task blocks it"


def _heartbeat(report: WorkerReport) -> str:
    if report.heartbeat_age is None:
        return "has no session yet"
    if report.heartbeat_age <= report.lease.total_seconds():
        return OK
    return f"last renewed {report.heartbeat_age:.1f} s ago, with a lease of {report.lease}"


def _pool(report: WorkerReport) -> str:
    if report.abandoned < report.concurrency:
        return OK
    return f"{report.abandoned} tasks were given up and still run on their threads"
