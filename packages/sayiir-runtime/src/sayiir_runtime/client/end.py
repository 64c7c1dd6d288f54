"""Whether an awaited run has ended, and what those who wait get then."""

from __future__ import annotations

from typing import Any

from sayiir_core.errors import (
    InstanceCancelledError,
    RunReplacedError,
    TaskError,
    WorkflowError,
)
from sayiir_core.ids import RunKey
from sayiir_core.snapshot.head import Head, InstanceState
from sayiir_runtime.status import WorkflowStatus

End = Head | Exception
"""The head of an ended run, or why its end can never be told."""

_STOPPED = (InstanceState.FAILED, InstanceState.CANCELLED)


def end_of(run: RunKey, head: Head) -> End | None:
    """Return how a run has ended by the head of its instance, None if it has not.

    A failed or cancelled run has ended when nothing of it is executed any more.
    """
    header = head.header
    if header.run_id != run.run_id:
        return RunReplacedError(run.instance_id, run_id=run.run_id)
    is_over = header.state is InstanceState.COMPLETED or (
        header.state in _STOPPED and not head.executing
    )
    return head if is_over else None


def output_of(status: WorkflowStatus) -> Any:
    """Return the output of an ended run.

    Raises ``TaskError`` with the stored error for a failed one, and with the stored traceback as
    a note; ``InstanceCancelledError`` for a cancelled one.
    """
    if status.is_completed():
        return status.output
    if status.is_cancelled():
        raise InstanceCancelledError(
            status.instance_id, reason=status.reason, cancelled_by=status.cancelled_by
        )
    if status.is_failed():
        raise _failure(status)
    raise WorkflowError(
        f"instance {status.instance_id!r} has no output: it is {status.status}",
        instance_id=status.instance_id,
    )


def _failure(status: WorkflowStatus) -> TaskError:
    path = status.failed_task or ""
    error = TaskError(
        f"instance {status.instance_id!r}: task {path!r} failed: {status.error}",
        task_id=path.rpartition("/")[2],
        instance_id=status.instance_id,
    )
    if status.error_traceback is not None:
        error.add_note(f"where it failed:\n{status.error_traceback}")
    return error
