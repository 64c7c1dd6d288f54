"""The ports that let others see what happens: events for sinks, and spans around bodies.

Events are derived from what a store was asked and has answered, never from what a process meant to
do: an event of a step says that its record is stored. They reach a sink in batches, on a thread
of its own, some time later. Only a ``Tracer`` is called where a body runs, because what the body
does itself must find its span open.

The vocabulary is closed: ``Event`` names every kind, and ``VOCABULARY`` grows when a kind or a
field is added. What a sink does not know it skips.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol, get_args

from sayiir_core.ids import Index, InstanceId, RunId, SessionId, WorkflowId
from sayiir_core.snapshot.answer import LostReason
from sayiir_core.snapshot.head import InstanceState
from sayiir_core.snapshot.step import StepStatus

VOCABULARY: Final = 1
"""The version of the vocabulary of this release."""


@dataclass(frozen=True, slots=True)
class RunPlace:
    """Which run an event is about."""

    workflow_id: WorkflowId
    instance_id: InstanceId
    run_id: RunId


@dataclass(slots=True)
class NodePlace:
    """Which node of a run: its readable path, and the turn of each enclosing loop."""

    run: RunPlace
    path: str
    turns: Index


class Wake(StrEnum):
    """Say what let a parked cursor go on."""

    TIMER = "timer"
    SIGNAL = "signal"
    DEADLINE = "deadline"


class Request(StrEnum):
    """Say what was asked for from outside."""

    CANCEL = "cancel"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    RETRY = "retry"


# Events are made at every step, and frozen ones take three times as long to make.
@dataclass(slots=True)
class RunCreated:
    """A run was stored."""

    at: datetime
    run: RunPlace
    trace_parent: str | None


@dataclass(slots=True)
class RunEnded:
    """A run has completed, or has failed for good (``error`` is the class of the error)."""

    at: datetime
    run: RunPlace
    state: InstanceState
    error: str | None


@dataclass(slots=True)
class RunRequested:
    """A cancel, pause, unpause or retry was accepted."""

    at: datetime
    run: RunPlace
    request: Request


@dataclass(slots=True)
class NodeClaimed:
    """A session took a cursor.

    ``waited`` is how long it had been due, ``deaths`` how many sessions died holding it.
    """

    at: datetime
    node: NodePlace
    session: SessionId
    group: str
    priority: int
    attempt: int
    deaths: int
    waited: timedelta


@dataclass(slots=True)
class NodeWoken:
    """A claimed cursor had been parked."""

    at: datetime
    node: NodePlace
    by: Wake


@dataclass(slots=True)
class NodeParked:
    """A cursor was parked: until an instant, or for a signal with a timeout, if it has one."""

    at: datetime
    node: NodePlace
    until: datetime | None
    signal: str | None


@dataclass(slots=True)
class CursorReleased:
    """A cursor was given back before its body had run, and may be claimed at once."""

    at: datetime
    run: RunPlace
    session: SessionId


@dataclass(slots=True)
class TaskStarted:
    """The body of a task was called; ``attempt`` counts as its context does."""

    at: datetime
    node: NodePlace
    attempt: int


@dataclass(slots=True)
class StepRecorded:
    """An attempt was stored.

    ``retry_at`` is when the next one is due, None if there is none. ``size`` is that of the output
    in bytes. Delays and signals have steps, too, without times.
    """

    at: datetime
    node: NodePlace
    attempt: int
    status: StepStatus
    error: str | None
    started_at: datetime | None
    finished_at: datetime | None
    size: int
    retry_at: datetime | None


@dataclass(slots=True)
class BatchCommitted:
    """Checkpoints were sent together, and how they were answered."""

    at: datetime
    size: int
    duration: timedelta
    replayed: int
    lost: int
    refused: int


@dataclass(slots=True)
class WriteRefused:
    """A late write changed nothing: its guard did not hold any more."""

    at: datetime
    node: NodePlace
    session: SessionId
    why: LostReason


@dataclass(slots=True)
class ClaimAnswered:
    """A pool asked for work: up to ``limit`` cursors, and got ``taken``."""

    at: datetime
    session: SessionId
    limit: int
    taken: int
    duration: timedelta


@dataclass(slots=True)
class SignalSent:
    """A signal was stored or delivered; ``size`` is that of its payload in bytes."""

    at: datetime
    instance_id: InstanceId
    name: str
    size: int


@dataclass(slots=True)
class SessionStarted:
    """A process has a lease from now on."""

    at: datetime
    session: SessionId
    worker_id: str
    ttl: timedelta


@dataclass(slots=True)
class LeaseRenewed:
    """A session renewed its lease."""

    at: datetime
    session: SessionId
    duration: timedelta


@dataclass(slots=True)
class LeaseLost:
    """A session found that others had ended it, and take over what it ran."""

    at: datetime
    session: SessionId


@dataclass(slots=True)
class SessionReaped:
    """A session ended a dead one, whose work is free to be taken."""

    at: datetime
    session: SessionId
    dead: SessionId


@dataclass(slots=True)
class StoreFailed:
    """A call of a store raised ``error``; ``call`` is ``port.method``."""

    at: datetime
    call: str
    error: str
    transient: bool


@dataclass(slots=True)
class BacklogSampled:
    """A worker looked at a lane that it serves.

    ``ready`` cursors could be claimed, of which no more than ``at_most`` were counted; the
    oldest has been due for ``waited``, None if there is none.
    """

    at: datetime
    workflow_id: WorkflowId
    group: str
    ready: int
    at_most: int
    waited: timedelta | None


@dataclass(slots=True)
class WorkerSampled:
    """A worker looked at itself.

    ``running`` of ``concurrency`` bodies run. ``is_told`` says whether its store hints at new
    work, which it otherwise finds by looking now and then.
    """

    at: datetime
    worker_id: str
    concurrency: int
    running: int
    is_told: bool


@dataclass(slots=True)
class EventsDropped:
    """So many events before this one did not reach this sink, because too many waited."""

    at: datetime
    count: int


Event = (
    RunCreated
    | RunEnded
    | RunRequested
    | NodeClaimed
    | NodeWoken
    | NodeParked
    | CursorReleased
    | TaskStarted
    | StepRecorded
    | BatchCommitted
    | WriteRefused
    | ClaimAnswered
    | SignalSent
    | SessionStarted
    | LeaseRenewed
    | LeaseLost
    | SessionReaped
    | StoreFailed
    | BacklogSampled
    | WorkerSampled
    | EventsDropped
)
"""The closed union of events."""


ALL_EVENTS: Final[frozenset[type]] = frozenset(get_args(Event))
"""Every kind of event."""


class TelemetrySink(Protocol):
    """Take events, from one thread, in the order in which they happened in this process.

    Sinks of one backend share their events, and must not change them.
    """

    @property
    def kinds(self) -> frozenset[type]:
        """Return the kinds of events that it takes; it never changes, and others cost nothing."""
        ...

    def receive(self, events: Sequence[Event]) -> None:
        """Take a batch, which is not empty.

        It may take its time: events wait meanwhile, and are dropped and counted when there are too
        many. What it raises is counted and logged, and harms nobody.
        """
        ...

    def close(self) -> None:
        """Pass on what was taken; nothing comes after it."""
        ...


@dataclass(slots=True)
class TaskCall:
    """A body that is about to be called; ``trace_parent`` is what ``submit`` gave its run."""

    node: NodePlace
    attempt: int
    trace_parent: str | None


class Tracer(Protocol):
    """Open a span around each body, in the thread or coroutine where it runs.

    It must be quick and never wait. What it raises is counted and logged, and harms no task.
    """

    def submit(self, runs: Sequence[RunPlace]) -> tuple[Any, str | None]:
        """Open a span around the creation of runs; return what ``leave`` needs, and the trace.

        The trace is one text, stored with each run: a W3C ``traceparent`` and whatever else
        ``enter`` understands; None if there is none to join.
        """
        ...

    def enter(self, call: TaskCall) -> Any:
        """Open the span of a body, in the run's trace; return what ``leave`` needs."""
        ...

    def leave(self, token: Any, error: BaseException | None) -> None:
        """Close a span that ``submit`` or ``enter`` opened, with what was raised in it."""
        ...

    def rest(self, run: RunPlace) -> None:
        """Note that a cursor of a run was parked, ended or given away by this process."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """What a plugin adds: sinks of events, at most one tracer, and an answer to a scrape.

    ``exposition`` takes the ``Accept`` header of a request for metrics, and returns the content
    type and the body of the answer.
    """

    sinks: tuple[TelemetrySink, ...] = ()
    tracer: Tracer | None = None
    exposition: Callable[[str], tuple[str, bytes]] | None = None
