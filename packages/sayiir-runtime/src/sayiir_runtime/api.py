"""The functions that users call, each with its ``_async`` form."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar, cast

from sayiir_core.authoring import Workflow
from sayiir_core.duration import Duration
from sayiir_core.errors import WorkflowError
from sayiir_core.policy import ConflictPolicy
from sayiir_core.ports.backend import Backend
from sayiir_runtime.gate import built_workflow, checked_backend
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.operations import Operations
from sayiir_runtime.payloads import CodecChoice
from sayiir_runtime.runner.checkpointing import CheckpointingRunner
from sayiir_runtime.runner.inprocess import InProcessRunner
from sayiir_runtime.runner.offload import call_in_thread, call_store
from sayiir_runtime.status import WorkflowStatus

In = TypeVar("In")
Out = TypeVar("Out")

Policy = ConflictPolicy | str | None


def run_workflow(
    workflow: Workflow[In, Out],
    input_data: In,
    *,
    instance_id: str | None = None,
    backend: Backend | None = None,
    conflict_policy: Policy = None,
    codec: CodecChoice = None,
) -> Out:
    """Run a workflow to its end and return its output.

    Without ``instance_id`` it runs in this process alone and nothing is stored; a failing task
    raises ``TaskError`` with the original exception as its cause. With one it runs durably and
    raises ``WorkflowError`` if it fails or parks. ``codec`` writes what is stored, as far as the
    workflow names no other; by default JSON.
    """
    if instance_id is None:
        return InProcessRunner(codec=codec).run(built_workflow(workflow), input_data)
    status = run_durable_workflow(
        workflow, instance_id, input_data, backend, conflict_policy, codec=codec
    )
    return cast("Out", _output_of(status))


async def run_workflow_async(
    workflow: Workflow[In, Out],
    input_data: In,
    *,
    instance_id: str | None = None,
    backend: Backend | None = None,
    conflict_policy: Policy = None,
    codec: CodecChoice = None,
) -> Out:
    """Run like ``run_workflow`` without blocking the loop, on which async tasks run."""
    if instance_id is None:
        runner = InProcessRunner(codec=codec, loop=asyncio.get_running_loop())
        return await call_in_thread(
            lambda: runner.run(built_workflow(workflow), input_data),
            name="sayiir-run",
            on_cancel=runner.stop,
        )
    status = await run_durable_workflow_async(
        workflow, instance_id, input_data, backend, conflict_policy, codec=codec
    )
    return cast("Out", _output_of(status))


def run_durable_workflow(
    workflow: Workflow[In, Any],
    instance_id: str,
    input_data: In,
    backend: Backend | None = None,
    conflict_policy: Policy = None,
    *,
    codec: CodecChoice = None,
) -> WorkflowStatus:
    """Run with a checkpoint after every task until the run ends or parks.

    A failing task does not raise: the status says ``failed`` and why. Without ``backend`` a fresh
    memory store is used for this call.
    """
    runner = CheckpointingRunner(_backend_or_memory(backend), codec=codec)
    return runner.run(
        built_workflow(workflow), instance_id, input_data, conflict_policy=conflict_policy
    )


async def run_durable_workflow_async(
    workflow: Workflow[In, Any],
    instance_id: str,
    input_data: In,
    backend: Backend | None = None,
    conflict_policy: Policy = None,
    *,
    codec: CodecChoice = None,
) -> WorkflowStatus:
    """Run like ``run_durable_workflow`` without blocking the loop, on which async tasks run."""
    runner = CheckpointingRunner(
        _backend_or_memory(backend), codec=codec, loop=asyncio.get_running_loop()
    )
    return await call_in_thread(
        lambda: runner.run(
            built_workflow(workflow), instance_id, input_data, conflict_policy=conflict_policy
        ),
        name=f"sayiir-run-{instance_id}",
        on_cancel=runner.stop,
    )


def resume_workflow(
    workflow: Workflow[Any, Any],
    instance_id: str,
    backend: Backend,
    *,
    wait: Duration | None = None,
    codec: CodecChoice = None,
) -> WorkflowStatus:
    """Continue an instance where it is; see ``CheckpointingRunner.resume``."""
    return CheckpointingRunner(checked_backend(backend), codec=codec).resume(
        built_workflow(workflow), instance_id, wait=wait
    )


async def resume_workflow_async(
    workflow: Workflow[Any, Any],
    instance_id: str,
    backend: Backend,
    *,
    wait: Duration | None = None,
    codec: CodecChoice = None,
) -> WorkflowStatus:
    """Continue like ``resume_workflow`` without blocking the loop."""
    runner = CheckpointingRunner(
        checked_backend(backend), codec=codec, loop=asyncio.get_running_loop()
    )
    return await call_in_thread(
        lambda: runner.resume(built_workflow(workflow), instance_id, wait=wait),
        name=f"sayiir-run-{instance_id}",
        on_cancel=runner.stop,
    )


def retry_workflow(
    workflow: Workflow[Any, Any],
    instance_id: str,
    backend: Backend,
    *,
    codec: CodecChoice = None,
) -> WorkflowStatus:
    """Continue a failed instance from the failed node, with fresh attempts."""
    return CheckpointingRunner(checked_backend(backend), codec=codec).retry(
        built_workflow(workflow), instance_id
    )


async def retry_workflow_async(
    workflow: Workflow[Any, Any],
    instance_id: str,
    backend: Backend,
    *,
    codec: CodecChoice = None,
) -> WorkflowStatus:
    """Continue like ``retry_workflow`` without blocking the loop."""
    runner = CheckpointingRunner(
        checked_backend(backend), codec=codec, loop=asyncio.get_running_loop()
    )
    return await call_in_thread(
        lambda: runner.retry(built_workflow(workflow), instance_id),
        name=f"sayiir-run-{instance_id}",
        on_cancel=runner.stop,
    )


def cancel_workflow(
    instance_id: str,
    backend: Backend,
    reason: str | None = None,
    cancelled_by: str | None = None,
) -> None:
    """Cancel for good: parked and queued work at once, a running task at its end."""
    Operations(checked_backend(backend)).cancel(
        instance_id, reason=reason, cancelled_by=cancelled_by
    )


async def cancel_workflow_async(
    instance_id: str,
    backend: Backend,
    reason: str | None = None,
    cancelled_by: str | None = None,
) -> None:
    """Cancel like ``cancel_workflow`` without blocking the loop."""
    await call_store(
        checked_backend(backend),
        lambda: cancel_workflow(instance_id, backend, reason, cancelled_by),
    )


def pause_workflow(
    instance_id: str, backend: Backend, reason: str | None = None, paused_by: str | None = None
) -> None:
    """Hold an instance at its next boundary until ``unpause_workflow``."""
    Operations(checked_backend(backend)).pause(instance_id, reason=reason, paused_by=paused_by)


async def pause_workflow_async(
    instance_id: str, backend: Backend, reason: str | None = None, paused_by: str | None = None
) -> None:
    """Pause like ``pause_workflow`` without blocking the loop."""
    await call_store(
        checked_backend(backend), lambda: pause_workflow(instance_id, backend, reason, paused_by)
    )


def unpause_workflow(instance_id: str, backend: Backend) -> None:
    """Release what a pause holds; a worker or ``resume_workflow`` goes on with it."""
    Operations(checked_backend(backend)).unpause(instance_id)


async def unpause_workflow_async(instance_id: str, backend: Backend) -> None:
    """Unpause like ``unpause_workflow`` without blocking the loop."""
    await call_store(checked_backend(backend), lambda: unpause_workflow(instance_id, backend))


def send_signal(
    instance_id: str,
    signal_name: str,
    payload: Any,
    backend: Backend,
    *,
    codec: CodecChoice = None,
) -> None:
    """Send a signal; it is kept if nothing waits for it yet, even before the instance exists."""
    operations = Operations(checked_backend(backend), codec=codec)
    operations.send_signal(instance_id, signal_name, payload)


async def send_signal_async(
    instance_id: str,
    signal_name: str,
    payload: Any,
    backend: Backend,
    *,
    codec: CodecChoice = None,
) -> None:
    """Send like ``send_signal`` without blocking the loop."""
    await call_store(
        checked_backend(backend),
        lambda: send_signal(instance_id, signal_name, payload, backend, codec=codec),
    )


def _backend_or_memory(backend: Backend | None) -> Backend:
    return InMemoryBackend() if backend is None else checked_backend(backend)


def _output_of(status: WorkflowStatus) -> Any:
    if not status.is_completed():
        why = status.error or status.reason or "it waits; use run_durable_workflow for its status"
        raise WorkflowError(
            f"instance {status.instance_id!r} did not complete: {status.status} ({why})",
            instance_id=status.instance_id,
        )
    return status.output
