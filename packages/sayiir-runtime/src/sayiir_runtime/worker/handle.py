"""The handle on a started worker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sayiir_core.duration import Duration, parse_duration
from sayiir_core.ids import SessionId

if TYPE_CHECKING:
    from sayiir_runtime.worker.team import Team


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReport:
    """What a worker does at this moment.

    ``trouble`` says why the store cannot be reached, ``hints`` why no wake-ups arrive (None if
    they do, or if the store has none). ``counts`` are those of ``Counts`` since the start.
    ``loop_lag`` is for how long the event loop has not turned, ``heartbeat_age`` how long ago the
    ``lease`` was renewed, both in seconds; ``ended_threads`` are those that should not have.
    """

    worker_id: str
    session: SessionId | None
    is_draining: bool
    held: int
    running: list[str]
    abandoned: int
    trouble: str | None
    hints: str | None
    counts: dict[str, int]
    concurrency: int
    lease: timedelta
    heartbeat_age: float | None
    loop_lag: float
    ended_threads: list[str]


class WorkerHandle:
    """Stop, wait for and look at a worker. As a context manager it is stopped at the end."""

    def __init__(self, team: Team) -> None:
        self._team = team

    @property
    def worker_id(self) -> str:
        """Return the id that the worker was given."""
        return self._team.worker_id

    @property
    def health_address(self) -> tuple[str, int] | None:
        """Return host and port on which the worker answers probes, None if it has none."""
        return self._team.health_address

    @property
    def is_alive(self) -> bool:
        """Tell whether the worker still works or drains."""
        return self._team.is_alive

    def report(self) -> WorkerReport:
        """Return what the worker does at this moment."""
        return self._team.report()

    def shutdown(self, grace: Duration | None = None) -> None:
        """Start to drain and return at once.

        Nothing more is claimed or started. What runs may end and is saved, for ``grace`` at most (by
        default the worker's own); what still runs then is given back uncounted.
        """
        self._team.drain(None if grace is None else parse_duration(grace))

    def abort(self) -> None:
        """Give everything back at once, without waiting for what runs."""
        self._team.drain(0.0)

    def join(self, timeout: Duration | None = None) -> bool:
        """Wait until the worker has ended; False if it has not within ``timeout``."""
        return self._team.join(None if timeout is None else parse_duration(timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()
        self.join()
