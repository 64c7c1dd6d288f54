"""The status of an instance as its users see it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

from sayiir_core.errors import WorkflowError
from sayiir_core.snapshot.head import Head
from sayiir_core.snapshot.status import StatusWord, awaiting_cursor, status_of, waiting_cursor
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.node import DelayNode, SignalNode
from sayiir_runtime.payloads import convert_to

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class WorkflowStatus:
    """What an instance does and why, at the moment of asking.

    ``output`` is the plain decoded value of a completed run. ``error`` starts with the class of
    what a task raised. ``wake_at`` is when the earliest delay ends. ``delay_id`` and ``signal_id``
    are the names that the flow gives to the nodes.
    """

    instance_id: str
    run_id: str
    status: str
    output: Any = None
    error: str | None = None
    error_traceback: str | None = None
    failed_task: str | None = None
    reason: str | None = None
    cancelled_by: str | None = None
    paused_by: str | None = None
    wake_at: datetime | None = None
    delay_id: str | None = None
    signal_id: str | None = None
    signal_name: str | None = None

    def is_completed(self) -> bool:
        """Tell whether the run has an output."""
        return self.status == StatusWord.COMPLETED

    def is_failed(self) -> bool:
        """Tell whether the run has failed; ``retry_workflow`` may revive it."""
        return self.status == StatusWord.FAILED

    def is_cancelled(self) -> bool:
        """Tell whether the run was cancelled for good."""
        return self.status == StatusWord.CANCELLED

    def is_paused(self) -> bool:
        """Tell whether the run is held until ``unpause_workflow``."""
        return self.status == StatusWord.PAUSED

    def is_waiting(self) -> bool:
        """Tell whether the run waits for a delay."""
        return self.status == StatusWord.WAITING

    def is_awaiting_signal(self) -> bool:
        """Tell whether the run waits for a signal."""
        return self.status == StatusWord.AWAITING_SIGNAL

    def is_in_progress(self) -> bool:
        """Tell whether something runs or could run."""
        return self.status == StatusWord.IN_PROGRESS

    def __repr__(self) -> str:
        shown = [self.instance_id, self.status]
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and each.name not in _UNSHOWN:
                shown.append(f"{each.name}={value!r}")
        return f"<WorkflowStatus {' '.join(shown)}>"

    def output_as(self, kind: type[T]) -> T:
        """Validate the output into a type; ``WorkflowError`` if the run is not completed."""
        if not self.is_completed():
            raise WorkflowError(
                f"instance {self.instance_id!r} has no output: it is {self.status}",
                instance_id=self.instance_id,
            )
        return convert_to(self.output, kind)


_UNSHOWN = frozenset({"instance_id", "run_id", "status", "error_traceback"})


def describe_status(
    head: Head, definition: Definition | None, *, now: datetime, output: Any = None
) -> WorkflowStatus:
    """Return the status of a head; node names need the definition."""
    header = head.header
    word = status_of(head, now)
    awaiting = awaiting_cursor(head) if word is StatusWord.AWAITING_SIGNAL else None
    sleeping = waiting_cursor(head) if word in _WAITING else None
    delay = _node(definition, None if sleeping is None else sleeping.node)
    signal = _node(definition, None if awaiting is None else awaiting.node)
    cancelled = header.state == StatusWord.CANCELLED.value
    return WorkflowStatus(
        instance_id=header.instance_id,
        run_id=header.run_id,
        status=word.value,
        output=output,
        error=None if header.error is None else header.error.text,
        error_traceback=None if header.error is None else header.error.traceback,
        failed_task=None if header.error is None else header.error.path,
        reason=header.reason,
        cancelled_by=header.requested_by if cancelled else None,
        paused_by=header.requested_by if header.state == StatusWord.PAUSED.value else None,
        wake_at=None if sleeping is None else sleeping.available_at,
        delay_id=delay.id if isinstance(delay, DelayNode) else None,
        signal_id=signal.id if isinstance(signal, SignalNode) else None,
        signal_name=None if awaiting is None else awaiting.signal,
    )


_WAITING = frozenset({StatusWord.WAITING, StatusWord.AWAITING_SIGNAL})


def _node(definition: Definition | None, ordinal: int | None) -> object:
    return None if definition is None or ordinal is None else definition.nodes[ordinal]
