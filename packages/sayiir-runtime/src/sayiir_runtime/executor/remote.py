"""What stands in a driver for a body that an executor runs.

How this works: the function of a task is replaced, once per program, by one that hands the call over
and waits for its end on the driver's own thread. So drivers know nothing of executors, and a body that
needs none is called as ever. The attempt keeps what was started, and gives it up when it is itself.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from sayiir_core.authoring import (
    TaskMetadata,
    get_task_facts,
    reset_task_context,
    set_task_context,
)
from sayiir_core.errors import TaskAbandonedError
from sayiir_core.ids import Index
from sayiir_core.ports.executor import Execution, TaskExecutor
from sayiir_core.workflow.node import TaskNode
from sayiir_runtime.logs import worker_name


class Attempted(Protocol):
    """What a driver knows of a call: an ``Attempt``."""

    is_set: bool
    execution: Execution

    @property
    def trace_parent(self) -> str | None:
        """Return the trace context of its run."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteBody:
    """A body with all that it can learn about itself, as plain data; a ``Body`` of the port.

    It is never told that it is cancelled: what runs it is stopped instead.
    """

    function: Callable[..., Any]
    value: tuple[Any, ...]
    is_async: bool
    workflow_id: str
    metadata: dict[str, Any] | None
    declared: TaskMetadata
    node: TaskNode
    instance_id: str
    run_id: str
    turns: Index
    attempt: int
    trace_parent: str | None
    worker_id: str
    is_set: bool = False

    @property
    def path(self) -> str:
        """Return the path of the task."""
        return self.node.path

    def __call__(self) -> Any:
        """Call the function here, in its context."""
        token = set_task_context(
            (self, self.declared, self.node, self, self.turns, self.attempt, self)
        )
        named = worker_name.set(self.worker_id)
        try:
            result = self.function(*self.value)
            return asyncio.run(result) if self.is_async else result
        finally:
            worker_name.reset(named)
            reset_task_context(token)


def remote(
    function: Callable[..., Any], executor: TaskExecutor, *, is_async: bool
) -> Callable[..., Any]:
    """Return a plain function that has an executor call this one, and waits for the end."""

    @functools.wraps(function, updated=())
    def call(*value: Any) -> Any:
        body, attempt = _carried(function, value, is_async=is_async)
        execution = attempt.execution = executor.start(body)
        if attempt.is_set:
            # Given up before there was anything to stop.
            execution.give_up()
        try:
            return execution.wait()
        except BaseException as error:
            if not attempt.is_set:
                raise
            raise TaskAbandonedError(
                f"task {body.path!r} was stopped, since its instance {body.instance_id!r} was "
                f"cancelled or nobody waits for its result any more",
                task_id=body.path,
                instance_id=body.instance_id,
            ) from error

    return call


def _carried(
    function: Callable[..., Any], value: tuple[Any, ...], *, is_async: bool
) -> tuple[RemoteBody, Attempted]:
    facts = get_task_facts()
    assert facts is not None, "bodies are called by drivers, which set the context"
    workflow, declared, node, run, turns, attempt, delivery = facts
    assert delivery is not None, "a driver that runs such a body has an attempt for it"
    body = RemoteBody(
        function=function,
        value=value,
        is_async=is_async,
        workflow_id=workflow.workflow_id,
        metadata=workflow.metadata,
        declared=declared,
        node=node,
        instance_id=run.instance_id,
        run_id=run.run_id,
        turns=turns,
        attempt=attempt,
        trace_parent=delivery.trace_parent,
        worker_id=worker_name.get(),
    )
    return body, cast("Attempted", delivery)
