"""Authoring: how people write workflows."""

from sayiir_core.authoring.context import (
    ContextFacts,
    TaskContext,
    TaskMetadata,
    get_task_context,
    get_task_facts,
    reset_task_context,
    set_task_context,
)
from sayiir_core.authoring.flow import Flow
from sayiir_core.authoring.fork import ForkBuilder
from sayiir_core.authoring.loop_result import LoopResult
from sayiir_core.authoring.node_info import NodeInfo
from sayiir_core.authoring.registry import TaskRegistry
from sayiir_core.authoring.route import RouteBuilder
from sayiir_core.authoring.task import task
from sayiir_core.authoring.workflow import Workflow

__all__ = [
    "ContextFacts",
    "Flow",
    "ForkBuilder",
    "LoopResult",
    "NodeInfo",
    "RouteBuilder",
    "TaskContext",
    "TaskMetadata",
    "TaskRegistry",
    "Workflow",
    "get_task_context",
    "get_task_facts",
    "reset_task_context",
    "set_task_context",
    "task",
]
