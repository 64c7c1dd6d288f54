"""Execution records: what is appended and never changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sayiir_core.ids import Index, SessionId
from sayiir_core.snapshot.reference import Ref


class StepStatus(StrEnum):
    """Say how an attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


class Verdict(StrEnum):
    """Say what the last task of a loop's body decided."""

    AGAIN = "again"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRecord:
    """An error as data: the path of its node, its class name, its text, and the traceback."""

    path: str
    type: str
    message: str
    traceback: str | None = None

    @property
    def text(self) -> str:
        """Return ``ValueError: bad``, the form that a status shows."""
        return f"{self.type}: {self.message}"


# Plain instead of frozen, like all that is made once per step (see reference.py), and open to
# positional arguments there: making an object from keyword arguments takes twice as long.
@dataclass(slots=True)
class StepRecord:
    """One attempt at ``(node, turns)``.

    ``attempt`` counts from 1 and is never reused. A succeeded record has an ``output`` payload,
    or names its value by ``source`` (delays and signals copy nothing).
    """

    node: int
    turns: Index
    attempt: int
    status: StepStatus
    output: bytes | None = None
    source: Ref | None = None
    verdict: Verdict | None = None
    error: ErrorRecord | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(slots=True)
class StepRow:
    """A stored record, with who wrote it under which guard."""

    record: StepRecord
    session: SessionId
    fence: int
    seq: int


@dataclass(slots=True, kw_only=True)
class ScopeRow:
    """Where the value of a finished scope stands, with the guard that wrote it.

    ``index`` is the index of the scope's owner.
    """

    scope: int
    index: Index
    value: Ref
    fence: int
    seq: int
