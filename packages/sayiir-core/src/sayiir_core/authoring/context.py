"""What a running task can learn about itself.

The one context variable of the library lives here. A driver sets it around each body, so it is
right in threads, coroutines and child coroutines alike.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from sayiir_core.ids import Index
from sayiir_core.policy import RetryPolicy
from sayiir_core.snapshot.reference import StepRef, encode_ref
from sayiir_core.workflow.node import TaskNode


class RunningWorkflow(Protocol):
    """The facts of a context that all tasks of a workflow share."""

    @property
    def workflow_id(self) -> str:
        """Return the id of the workflow."""
        ...

    @property
    def metadata(self) -> dict[str, Any] | None:
        """Return the workflow's metadata, None if it has none."""
        ...


class RunIdentity(Protocol):
    """The facts of a context that all tasks of a run share; a ``Lease`` has them."""

    @property
    def instance_id(self) -> str:
        """Return the user's id of the instance."""
        ...

    @property
    def run_id(self) -> str:
        """Return the id of this start of the instance."""
        ...


class Delivery(Protocol):
    """What a driver knows of the call of a body."""

    @property
    def is_set(self) -> bool:
        """Say whether nobody waits for the body any more."""
        ...

    @property
    def trace_parent(self) -> str | None:
        """Return the trace context that is stored with the run, None if there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskMetadata:
    """How a task is declared: its tuning, version and descriptions."""

    display_name: str | None = None
    description: str | None = None
    timeout_secs: float | None = None
    retries: RetryPolicy | None = None
    tags: list[str] = field(default_factory=list[str])
    version: str | None = None
    priority: int | None = None

    @classmethod
    def from_node(cls, node: TaskNode) -> TaskMetadata:
        """Return the declaration that a definition holds for a task."""
        policy = node.policy
        timeout = policy.timeout
        return cls(
            display_name=policy.display_name,
            description=policy.description,
            timeout_secs=None if timeout is None else timeout.total_seconds(),
            retries=policy.retry,
            tags=list(policy.tags),
            version=node.version,
            priority=policy.priority,
        )


class TaskContext:
    """One attempt at one task, as seen from inside.

    ``attempt`` counts from 1 and starts again after a ``retry``. Whatever is derived is computed
    when it is asked for.
    """

    __slots__ = ("_delivery", "_node", "_run", "_turns", "_workflow", "attempt", "metadata")

    def __init__(
        self,
        program: RunningWorkflow,
        metadata: TaskMetadata,
        node: TaskNode,
        lease: RunIdentity,
        turns: Index = (),
        attempt: int = 1,
        delivery: Delivery | None = None,
    ) -> None:
        self._workflow = program
        self._node = node
        self._run = lease
        self._turns = turns
        self._delivery = delivery
        self.attempt = attempt
        self.metadata = metadata

    @property
    def workflow_id(self) -> str:
        """Return the id of the workflow."""
        return self._workflow.workflow_id

    @property
    def instance_id(self) -> str:
        """Return the user's id of the instance."""
        return self._run.instance_id

    @property
    def run_id(self) -> str:
        """Return the id of this start of the instance."""
        return self._run.run_id

    @property
    def task_id(self) -> str:
        """Return the id of the task, the last part of its path."""
        return self._node.id

    @property
    def task_path(self) -> str:
        """Return the path of the task, as ``fork_0/charge/validate``."""
        return self._node.path

    @property
    def turns(self) -> Index:
        """Return the turn of each enclosing loop, outermost first, counted from 0."""
        return self._turns

    @property
    def workflow_metadata(self) -> dict[str, Any] | None:
        """Return a copy of the workflow's metadata, None if it has none."""
        return deepcopy(self._workflow.metadata)

    @property
    def cancelled(self) -> bool:
        """Say whether the result is no longer wanted, so that a long body can stop early."""
        return self._delivery is not None and self._delivery.is_set

    @property
    def trace_parent(self) -> str | None:
        """Return the W3C trace context that the run was submitted with, None if with none."""
        return None if self._delivery is None else self._delivery.trace_parent

    @property
    def idempotency_key(self) -> str:
        """Return a key that is the same for every attempt and delivery of this very step.

        Hand it to services that drop repeated requests. It differs between runs and loop turns.
        """
        return f"{self._run.run_id}/{encode_ref(StepRef(self._node.ordinal, self._turns))}"

    def __repr__(self) -> str:
        return (
            f"TaskContext(workflow_id={self.workflow_id!r}, instance_id={self.instance_id!r}, "
            f"task_path={self.task_path!r}, attempt={self.attempt})"
        )


ContextFacts = tuple[
    RunningWorkflow, TaskMetadata, TaskNode, RunIdentity, Index, int, Delivery | None
]
"""What a ``TaskContext`` is made of, in the order of its parameters.

Every step has these; hardly any task asks for the context, which is made only then.
"""

_current: Final[ContextVar[ContextFacts | None]] = ContextVar("sayiir_task_context", default=None)


def get_task_context() -> TaskContext | None:
    """Return the context of the task that runs here, None outside of tasks."""
    facts = _current.get()
    return None if facts is None else TaskContext(*facts)


set_task_context: Final[Callable[[ContextFacts | None], Token[ContextFacts | None]]] = _current.set
"""Make these the facts of the current context; for drivers. The token undoes it."""

get_task_facts: Final[Callable[[], ContextFacts | None]] = _current.get
"""Return the facts of the current context; for what carries a body elsewhere."""

reset_task_context: Final[Callable[[Token[ContextFacts | None]], None]] = _current.reset
"""Undo a ``set_task_context`` of the same thread or coroutine."""
