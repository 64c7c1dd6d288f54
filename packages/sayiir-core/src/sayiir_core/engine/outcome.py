"""Outcomes: what happened at a cursor, told to the engine by whoever holds the claim."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sayiir_core.snapshot.step import ErrorRecord, Verdict


@dataclass(slots=True)
class Entered:
    """The cursor was claimed, ready, at a control node or behind the last node."""


@dataclass(slots=True)
class Started:
    """The body is about to start, and the store shall know."""


# Plain and open to positional arguments: one is made per step, see StepRecord.
@dataclass(slots=True)
class Succeeded:
    """The body returned.

    ``output`` is the encoded value, unwrapped if the task decides a loop (then ``verdict`` is
    set). ``key`` is the returned value if the task is a route's key function.
    """

    output: bytes
    verdict: Verdict | None = None
    key: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Failed:
    """The body raised. ``retryable`` is the judgement of the running code (class filters)."""

    error: ErrorRecord
    retryable: bool = True
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class TimedOut:
    """The body ran past its timeout; retried by the policy like any failure."""

    error: ErrorRecord
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(slots=True)
class Woken:
    """The delay is over."""


@dataclass(slots=True)
class Signalled:
    """The signal was delivered; the cursor holds its number."""


@dataclass(slots=True)
class Expired:
    """The deadline passed; ``default`` is the encoded value of ``on_timeout``, None to fail."""

    default: bytes | None = None


Outcome = Entered | Started | Succeeded | Failed | TimedOut | Woken | Signalled | Expired
"""The closed union of outcomes."""
