"""Durable workflows from plain functions.

This package gathers the public names of its siblings, and loads those of optional parts when they
are first used. Beside that it has the command line, and no other logic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sayiir_core.authoring import (
    Flow,
    LoopResult,
    NodeInfo,
    TaskContext,
    TaskMetadata,
    TaskRegistry,
    Workflow,
    get_task_context,
    task,
)
from sayiir_core.duration import parse_duration
from sayiir_core.errors import (
    BackendError,
    DefinitionError,
    DefinitionErrors,
    DeserializationError,
    EncodeError,
    InstanceAlreadyExistsError,
    InstanceBusyError,
    InstanceCancelledError,
    InstanceNotFoundError,
    InstanceStateError,
    PluginError,
    ResultTimeoutError,
    RunReplacedError,
    SayiirError,
    TaskError,
    WorkflowError,
)
from sayiir_core.policy import ConflictPolicy, OnMax, RetryPolicy
from sayiir_core.ports.view import Lazy

if TYPE_CHECKING:
    # Not in __all__: a star import must not need an optional part.
    from sayiir_otel import init_tracing as init_tracing
    from sayiir_otel import shutdown_tracing as shutdown_tracing
    from sayiir_postgres import PostgresBackend as PostgresBackend
    from sayiir_runtime.api import (
        cancel_workflow,
        cancel_workflow_async,
        pause_workflow,
        pause_workflow_async,
        resume_workflow,
        resume_workflow_async,
        retry_workflow,
        retry_workflow_async,
        run_durable_workflow,
        run_durable_workflow_async,
        run_workflow,
        run_workflow_async,
        send_signal,
        send_signal_async,
        unpause_workflow,
        unpause_workflow_async,
    )
    from sayiir_runtime.client import (
        AsyncWorkflowClient,
        AsyncWorkflowHandle,
        InstanceSummary,
        WorkflowClient,
        WorkflowHandle,
    )
    from sayiir_runtime.codec import KeyRing
    from sayiir_runtime.memory import InMemoryBackend
    from sayiir_runtime.operations import Operations
    from sayiir_runtime.payloads import payload_codec
    from sayiir_runtime.plugins import open_backend
    from sayiir_runtime.runner.checkpointing import CheckpointingRunner
    from sayiir_runtime.runner.inprocess import InProcessRunner
    from sayiir_runtime.status import WorkflowStatus
    from sayiir_runtime.worker import PooledWorker, Worker, WorkerHandle
    from sayiir_sqlite import SQLiteBackend

__version__: Final = "0.1.0"

_OPTIONAL: Final = {
    "sayiir_postgres": "postgres",
    "sayiir_otel": "otel",
}
"""Packages that may be missing, and the extra that installs each."""

_LAZY: Final = {
    name: module
    for module, names in {
        "sayiir_otel": (
            "init_tracing",
            "shutdown_tracing",
        ),
        "sayiir_postgres": ("PostgresBackend",),
        "sayiir_runtime.api": (
            "cancel_workflow",
            "cancel_workflow_async",
            "pause_workflow",
            "pause_workflow_async",
            "resume_workflow",
            "resume_workflow_async",
            "retry_workflow",
            "retry_workflow_async",
            "run_durable_workflow",
            "run_durable_workflow_async",
            "run_workflow",
            "run_workflow_async",
            "send_signal",
            "send_signal_async",
            "unpause_workflow",
            "unpause_workflow_async",
        ),
        "sayiir_runtime.client": (
            "AsyncWorkflowClient",
            "AsyncWorkflowHandle",
            "InstanceSummary",
            "WorkflowClient",
            "WorkflowHandle",
        ),
        "sayiir_runtime.codec": ("KeyRing",),
        "sayiir_runtime.memory": ("InMemoryBackend",),
        "sayiir_runtime.operations": ("Operations",),
        "sayiir_runtime.payloads": ("payload_codec",),
        "sayiir_runtime.plugins": ("open_backend",),
        "sayiir_runtime.runner.checkpointing": ("CheckpointingRunner",),
        "sayiir_runtime.runner.inprocess": ("InProcessRunner",),
        "sayiir_runtime.status": ("WorkflowStatus",),
        "sayiir_runtime.worker": (
            "PooledWorker",
            "Worker",
            "WorkerHandle",
        ),
        "sayiir_sqlite": ("SQLiteBackend",),
    }.items()
    for name in names
}
"""Names that are loaded when they are first used, by module: who defines flows pays for no engine."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'sayiir' has no attribute {name!r}")
    module = _LAZY[name]
    from importlib import import_module

    try:
        value = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        extra = _OPTIONAL.get(module)
        if extra is None:
            raise
        raise ImportError(
            f"{name} needs an optional part ({error.name} is missing); "
            f"install it with: pip install 'sayiir[{extra}]'"
        ) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *_LAZY})


__all__ = [
    "AsyncWorkflowClient",
    "AsyncWorkflowHandle",
    "BackendError",
    "CheckpointingRunner",
    "ConflictPolicy",
    "DefinitionError",
    "DefinitionErrors",
    "DeserializationError",
    "EncodeError",
    "Flow",
    "InMemoryBackend",
    "InProcessRunner",
    "InstanceAlreadyExistsError",
    "InstanceBusyError",
    "InstanceCancelledError",
    "InstanceNotFoundError",
    "InstanceStateError",
    "InstanceSummary",
    "KeyRing",
    "Lazy",
    "LoopResult",
    "NodeInfo",
    "OnMax",
    "Operations",
    "PluginError",
    "PooledWorker",
    "ResultTimeoutError",
    "RetryPolicy",
    "RunReplacedError",
    "SQLiteBackend",
    "SayiirError",
    "TaskContext",
    "TaskError",
    "TaskMetadata",
    "TaskRegistry",
    "Worker",
    "WorkerHandle",
    "Workflow",
    "WorkflowClient",
    "WorkflowError",
    "WorkflowHandle",
    "WorkflowStatus",
    "__version__",
    "cancel_workflow",
    "cancel_workflow_async",
    "get_task_context",
    "open_backend",
    "parse_duration",
    "pause_workflow",
    "pause_workflow_async",
    "payload_codec",
    "resume_workflow",
    "resume_workflow_async",
    "retry_workflow",
    "retry_workflow_async",
    "run_durable_workflow",
    "run_durable_workflow_async",
    "run_workflow",
    "run_workflow_async",
    "send_signal",
    "send_signal_async",
    "task",
    "unpause_workflow",
    "unpause_workflow_async",
]
