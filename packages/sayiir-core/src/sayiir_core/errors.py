"""The error tree, split by whose fault an error is.

``SayiirError`` is the root. ``WorkflowError`` and its children keep the names of the public
contract (SEMANTICS, "Signatures kept"). Every error carries its facts as attributes first and
builds its message from them second, and survives pickling with both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self


class SayiirError(Exception):
    """Be the root of every error that this project raises."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(cls: type[SayiirError], args: tuple[Any, ...], state: dict[str, Any]) -> SayiirError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


# --- the definition's fault ---------------------------------------------------------------------


class DefinitionError(SayiirError, ValueError):
    """Report one problem of a definition, with the place and the remedy in its text."""


class DefinitionErrors(  # noqa: N818 - the plural is the point
    ExceptionGroup[DefinitionError], SayiirError, ValueError
):
    """Report every problem that ``build()`` found, each as a ``DefinitionError``."""

    def __new__(cls, message: str, problems: Sequence[DefinitionError], /) -> Self:
        """List the problems in the text, where also those who catch ``ValueError`` see them."""
        listed = "\n".join(f"  - {problem}" for problem in problems)
        return super().__new__(cls, f"{message}\n{listed}", problems)

    def __init__(self, message: str, _problems: Sequence[DefinitionError], /) -> None:
        self._plain_message = message

    def derive(self, excs: Sequence[Any]) -> DefinitionErrors:  # type: ignore[override]
        """Return a group of some of the problems."""
        return DefinitionErrors(self._plain_message, excs)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._plain_message, list(self.exceptions))


# --- the run's fault ----------------------------------------------------------------------------


class WorkflowError(SayiirError, RuntimeError):
    """Report that a workflow could not be run, resumed or controlled as asked."""

    def __init__(self, message: str, *, instance_id: str | None = None) -> None:
        super().__init__(message)
        self.instance_id = instance_id


class TaskError(WorkflowError):
    """Report that a task failed for good; ``__cause__`` is what the task raised."""

    def __init__(
        self, message: str, *, task_id: str | None = None, instance_id: str | None = None
    ) -> None:
        super().__init__(message, instance_id=instance_id)
        self.task_id = task_id


class TaskTimeoutError(TaskError):
    """Report that an attempt ran past the task's timeout."""


class SignalTimeoutError(TaskError):
    """Report that a signal did not arrive before its deadline."""


class LoopLimitError(TaskError):
    """Report that a loop reached its cap with ``on_max="fail"``."""


class LoopResultError(TaskError, TypeError):
    """Report that a loop body returned something else than a ``LoopResult``."""


class RouteError(TaskError):
    """Report that a route's key has no arm and the route has no default."""


class WorkerDiedError(TaskError):
    """Report that a task was delivered ``max_deliveries`` times and each worker died in it."""


class TaskCrashedError(TaskError):
    """Report that what an executor ran a task in, such as a process, ended before the task did."""


class TaskAbandonedError(TaskError):
    """Report that an executor stopped a task because nobody wants its result any more."""


class NodeLookupError(WorkflowError, LookupError):
    """Report that a text names no node of a workflow, or several; ``candidates`` are paths."""

    def __init__(self, message: str, *, candidates: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)


class InstanceAlreadyExistsError(WorkflowError):
    """Report that the instance id is taken and the conflict policy is ``fail``."""


class InstanceBusyError(WorkflowError):
    """Report that another live session runs the instance."""

    def __init__(
        self, instance_id: str, *, holder: str, host: str, lease_age_seconds: float
    ) -> None:
        super().__init__(
            f"instance {instance_id!r} is run by {holder} on host {host} "
            f"(last heartbeat {lease_age_seconds:.1f} s ago); wait for it, or stop that process "
            f"first",
            instance_id=instance_id,
        )
        self.holder = holder
        self.host = host
        self.lease_age_seconds = lease_age_seconds


class InstanceCancelledError(WorkflowError):
    """Report that the awaited run was cancelled, by whom and why as far as they told."""

    def __init__(
        self, instance_id: str, *, reason: str | None = None, cancelled_by: str | None = None
    ) -> None:
        by = "" if cancelled_by is None else f" by {cancelled_by}"
        why = "" if reason is None else f": {reason}"
        super().__init__(
            f"instance {instance_id!r} was cancelled{by}{why}; submit it with "
            f"conflict_policy='terminate_existing' to start afresh",
            instance_id=instance_id,
        )
        self.reason = reason
        self.cancelled_by = cancelled_by


class RunReplacedError(WorkflowError):
    """Report that a new run has the id of the awaited one, whose result is gone."""

    def __init__(self, instance_id: str, *, run_id: str) -> None:
        super().__init__(
            f"instance {instance_id!r} was started afresh, and run {run_id} is no more; ask for "
            f"the handle of the new run",
            instance_id=instance_id,
        )
        self.run_id = run_id


class ResultTimeoutError(TimeoutError, WorkflowError):
    """Report that a run did not end in time; ``doing`` says what it does instead."""

    def __init__(self, instance_id: str, *, seconds: float, doing: str) -> None:
        WorkflowError.__init__(
            self,
            f"instance {instance_id!r} has not ended within {seconds:g} s: {doing}",
            instance_id=instance_id,
        )
        self.seconds = seconds
        self.doing = doing

    # The one of OSError would call the constructor with the message alone.
    __reduce__ = SayiirError.__reduce__


# --- the store's fault, or an operation that its state forbids ------------------------------------


class BackendError(WorkflowError):
    """Report that a store could not do what was asked; ``transient`` says if trying again may help."""

    def __init__(
        self, message: str, *, instance_id: str | None = None, transient: bool = False
    ) -> None:
        super().__init__(message, instance_id=instance_id)
        self.transient = transient


class RefusedRowError(BackendError):
    """Report what a store refuses and would refuse again, such as a value above its limit."""


class InstanceNotFoundError(BackendError):
    """Report that no instance has this id in this store."""

    def __init__(self, instance_id: str) -> None:
        super().__init__(
            f"no instance {instance_id!r} in this store; start it with run_durable_workflow, or "
            f"check that the same backend is used",
            instance_id=instance_id,
        )


_REMEDIES = {
    "cancel": "only what has not ended can be cancelled",
    "pause": "only what runs or waits can be paused",
    "unpause": "only what is paused can be unpaused; resume goes on with anything else",
    "retry": "only a failed instance whose last task has ended can be retried",
}


class InstanceStateError(BackendError):
    """Report that the instance's state forbids the operation."""

    def __init__(self, instance_id: str, *, operation: str, status: str) -> None:
        super().__init__(
            f"cannot {operation} instance {instance_id!r}: it is {status}; {_REMEDIES[operation]}",
            instance_id=instance_id,
        )
        self.operation = operation
        self.status = status


class SessionEndedError(BackendError):
    """Report that the caller's session was reaped or ended: register a new one."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"session {session_id} has ended (its lease expired and another process took over, or "
            f"it was closed); register a new one"
        )
        self.session_id = session_id


# --- the payload's fault ------------------------------------------------------------------------


class DeserializationError(WorkflowError):
    """Report that stored or returned data does not have the required form."""


class InvalidValueError(DeserializationError):
    """Report a value that does not fit its annotation; trying again cannot help.

    The text starts with ``ValidationError``; ``problem`` is the rest of it, and ``place`` says
    whose annotation it was, where that is known.
    """

    def __init__(self, problem: str, *, place: str | None = None) -> None:
        where = f"{place}: " if place else ""
        super().__init__(f"ValidationError: {where}{problem}")
        self.problem = problem
        self.place = place


class PayloadError(DeserializationError):
    """Report that an envelope or its body cannot be read."""


class BadMagicError(PayloadError):
    """Report bytes that are not a payload envelope."""


class UnsupportedVersionError(PayloadError):
    """Report an envelope that a newer release wrote."""


class UnknownCodecError(PayloadError):
    """Report an envelope whose codec is not installed."""


class TruncatedPayloadError(PayloadError):
    """Report an envelope or a body that ends too early."""


class CorruptPayloadError(PayloadError):
    """Report a complete envelope whose body its codec cannot decode."""


class UnknownKeyError(PayloadError):
    """Report a payload that is encrypted by a key which this process does not have."""


class WrongKeyError(PayloadError):
    """Report a key that has the id of the one which encrypted a payload, and is another."""


class TamperedPayloadError(PayloadError):
    """Report an encrypted payload that was changed after it was written."""


class MisplacedPayloadError(PayloadError):
    """Report an encrypted payload that was written for another place than where it is read."""


class UnsealedPayloadError(PayloadError):
    """Report a payload that is not encrypted where only encrypted ones are read."""


class EncodeError(SayiirError, TypeError):
    """Report a value that the codec cannot store, and where in the value it sits."""


# --- a plugin's fault ---------------------------------------------------------------------------


class PluginError(SayiirError):
    """Report a plugin that is missing, broken, or claims a name that another plugin has."""
