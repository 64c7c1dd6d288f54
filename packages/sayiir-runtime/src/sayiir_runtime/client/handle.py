"""What a submission returns: the run's status at that moment, and the way to follow the run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from sayiir_core.duration import Duration, parse_duration
from sayiir_core.engine.explain import Explanation
from sayiir_core.ids import InstanceId, RunId, RunKey
from sayiir_runtime.client.end import output_of
from sayiir_runtime.client.following import Follower
from sayiir_runtime.client.watcher import Mark
from sayiir_runtime.operations import Operations
from sayiir_runtime.payloads import convert_to
from sayiir_runtime.status import WorkflowStatus

T = TypeVar("T")


class SubmittedStatus(str):
    """The status word at submission; called, it gives the status now.

    The word is what code for the original reads; the call is what a handle offers.
    """

    __slots__ = ("_instance_id", "_operations")
    _operations: Operations
    _instance_id: str

    def __new__(cls, word: str, operations: Operations, instance_id: str) -> Self:
        """Make a word that knows whom to ask."""
        self = super().__new__(cls, word)
        self._operations = operations
        self._instance_id = instance_id
        return self

    def __call__(self) -> WorkflowStatus:
        """Return the status now; raises ``InstanceNotFoundError``."""
        return self._operations.status(self._instance_id)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class WorkflowHandle(WorkflowStatus):
    """A run that was submitted.

    As a ``WorkflowStatus`` it says what the run did at submission, and stays so. What it does now
    is told by ``status()``, ``wait()`` and ``result()``. Those two wait for the run that was
    submitted, as long as it is paused or parked too; requests reach whatever run has the id now.
    ``unended`` spares the first look at a run that this client has just created.
    """

    status: SubmittedStatus
    operations: Operations = field(repr=False)
    follower: Follower = field(repr=False)
    unended: Mark | None = field(default=None, repr=False)

    @property
    def run(self) -> RunKey:
        """Return the key of the run that was submitted."""
        return RunKey(InstanceId(self.instance_id), RunId(self.run_id))

    def wait(self, timeout: Duration | None = None) -> WorkflowStatus:
        """Block until the run is completed, failed or cancelled, and return its status.

        Raises ``ResultTimeoutError`` (a ``TimeoutError``) that says what the run does instead,
        ``RunReplacedError`` if another run took its id, ``InstanceNotFoundError`` if it was
        removed. A store that cannot be reached for a while is waited for.
        """
        seconds = None if timeout is None else parse_duration(timeout)
        return self.follower.wait(self.run, seconds, unended=self.unended)

    def result(self, timeout: Duration | None = None) -> Any:
        """Wait as ``wait`` does and return the plain output.

        Raises ``TaskError`` for a failed run, with the stored traceback as a note, and
        ``InstanceCancelledError`` for a cancelled one.
        """
        return output_of(self.wait(timeout))

    def result_as(self, kind: type[T], timeout: Duration | None = None) -> T:
        """Wait as ``result`` does and validate the output into a type."""
        return convert_to(self.result(timeout), kind)

    def cancel(self, *, reason: str | None = None, cancelled_by: str | None = None) -> None:
        """Cancel the instance for good; a second cancel changes nothing."""
        self.operations.cancel(self.instance_id, reason=reason, cancelled_by=cancelled_by)

    def pause(self, *, reason: str | None = None, paused_by: str | None = None) -> None:
        """Hold the instance until ``unpause``."""
        self.operations.pause(self.instance_id, reason=reason, paused_by=paused_by)

    def unpause(self) -> None:
        """Release what a pause holds."""
        self.operations.unpause(self.instance_id)

    def retry(self) -> None:
        """Revive the failed instance."""
        self.operations.retry(self.instance_id)

    def send_signal(self, signal_name: str, payload: Any) -> int:
        """Send a signal and return its number in the instance's inbox."""
        return self.operations.send_signal(self.instance_id, signal_name, payload)

    signal = send_signal

    def get_task_result(self, task_id: str) -> Any:
        """Return the plain value that a task gave, None if none yet."""
        return self.operations.get_task_result(self.instance_id, task_id)

    def explain(self) -> list[Explanation]:
        """Say why the instance stands where it stands, and what helps."""
        return self.operations.explain(self.instance_id)

    def __repr__(self) -> str:
        return f"<WorkflowHandle {self.instance_id}, {self.status} at submission>"
