"""What is recorded of the tasks of an instance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sayiir_core.errors import NodeLookupError
from sayiir_core.ids import Index
from sayiir_core.workflow.node import TaskNode
from sayiir_pytest.engine.binding import AnyWorkflow, Target, tasks_of
from sayiir_runtime.observe import TaskResult, TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """A task, delay or signal: the number of attempts, and its output or the last error.

    ``output`` is None while there is none, ``error`` None if the last attempt succeeded. In a loop
    they are those of the last turn, which ``turns`` names.
    """

    path: str
    state: TaskState
    attempts: int
    output: Any
    error: str | None
    error_traceback: str | None
    turns: Index


class Tasks(Mapping[Target, TaskView]):
    """The tasks of one instance, by path, by an unambiguous end of it, or by their function.

    ``charge[2]`` is turn 2 in a loop, counted from 0. Raises ``NodeLookupError``, a ``LookupError``,
    that lists the candidates for an unknown or ambiguous name. Iterates over all paths.
    """

    def __init__(self, workflow: AnyWorkflow, read: Callable[[str], TaskResult]) -> None:
        self._workflow = workflow
        self._read = read

    def __getitem__(self, target: Target) -> TaskView:
        result = self._read(target if isinstance(target, str) else self._path_of(target))
        return TaskView(
            path=result.path,
            state=result.state,
            attempts=result.attempts,
            output=result.value,
            error=result.error,
            error_traceback=result.error_traceback,
            turns=result.turns,
        )

    def _path_of(self, function: Callable[..., Any]) -> str:
        nodes = tasks_of(self._workflow, function)
        if len(nodes) > 1:
            paths = [node.path for node in nodes]
            raise NodeLookupError(
                f"{len(nodes)} tasks of workflow {self._workflow.workflow_id!r} call "
                f"{getattr(function, '__qualname__', function)}; use one of "
                f"{', '.join(map(repr, paths))}",
                candidates=paths,
            )
        return nodes[0].path

    def __iter__(self) -> Iterator[Target]:
        for node in self._workflow.definition.nodes:
            if isinstance(node, TaskNode):
                yield node.path

    def __len__(self) -> int:
        return sum(1 for _ in self)
