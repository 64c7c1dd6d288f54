"""What is told where a body runs: that it starts, and a span around it.

How this works: the function of a task is replaced by one that opens a span, calls it, and closes the
span. That is done once per program, so a run over a backend that nobody observes calls what it always
called. The trace that a run belongs to is stored with it, and whoever runs a task of it joins that.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from sayiir_core.authoring import TaskContext, get_task_context
from sayiir_core.ids import InstanceId, RunId, WorkflowId
from sayiir_core.ports.telemetry import NodePlace, RunPlace, TaskCall, TaskStarted, Tracer
from sayiir_core.workflow.node import TaskNode
from sayiir_runtime.telemetry.outlet import Outlet

logger = logging.getLogger("sayiir.telemetry")

NOT_TRACED: Final = object()


class Instrument:
    """Observe the bodies of one backend's runs."""

    def __init__(
        self, outlet: Outlet, tracer: Tracer | None, clock: Callable[[], datetime]
    ) -> None:
        self._outlet = outlet
        self._tracer = tracer
        self._clock = clock
        self._last: RunPlace | None = None
        self._tells_starts = outlet.wants(TaskStarted)

    def submit(self, runs: Sequence[RunPlace]) -> tuple[Any, str | None]:
        """Open a span around the creation of runs; return what ``leave`` needs, and the trace."""
        if self._tracer is None:
            return NOT_TRACED, None
        try:
            return self._tracer.submit(runs)
        except Exception as error:  # noqa: BLE001 - the boundary around a tracer
            self._complain(error)
            return NOT_TRACED, None

    def rest(self, run: RunPlace) -> None:
        """Note that a cursor of a run goes on later, elsewhere or never."""
        if self._tracer is None:
            return
        try:
            self._tracer.rest(run)
        except Exception as error:  # noqa: BLE001 - the boundary around a tracer
            self._complain(error)

    def around(
        self, node: TaskNode, function: Callable[..., Any], *, is_async: bool
    ) -> Callable[..., Any]:
        """Return a function that calls this one and tells about it."""
        return self._around_async(node, function) if is_async else self._around(node, function)

    def _around(self, node: TaskNode, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function, updated=())
        def observed(*value: Any) -> Any:
            token = self._enter(node)
            try:
                result = function(*value)
            except BaseException as error:
                self.leave(token, error)
                raise
            self.leave(token, None)
            return result

        return observed

    def _around_async(self, node: TaskNode, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function, updated=())
        async def observed(*value: Any) -> Any:
            token = self._enter(node)
            try:
                result = await function(*value)
            except BaseException as error:
                self.leave(token, error)
                raise
            self.leave(token, None)
            return result

        return observed

    def _enter(self, node: TaskNode) -> Any:
        context = get_task_context()
        if context is None:
            return NOT_TRACED
        place = NodePlace(self._run_of(context), node.path, context.turns)
        if self._tells_starts:
            self._outlet.emit(TaskStarted(self._clock(), place, context.attempt))
        if self._tracer is None:
            return NOT_TRACED
        try:
            return self._tracer.enter(TaskCall(place, context.attempt, context.trace_parent))
        except Exception as error:  # noqa: BLE001 - the boundary around a tracer
            self._complain(error)
            return NOT_TRACED

    def _run_of(self, context: TaskContext) -> RunPlace:
        run, run_id = self._last, context.run_id
        if run is None or run.run_id != run_id:
            run = RunPlace(
                WorkflowId(context.workflow_id), InstanceId(context.instance_id), RunId(run_id)
            )
            self._last = run
        return run

    def leave(self, token: Any, error: BaseException | None) -> None:
        """Close what ``submit`` opened, or the span of a body."""
        if token is NOT_TRACED or self._tracer is None:
            return
        try:
            self._tracer.leave(token, error)
        except Exception as trouble:  # noqa: BLE001 - the boundary around a tracer
            self._complain(trouble)

    def _complain(self, error: Exception) -> None:
        logger.debug("tracer %s failed: %r", type(self._tracer).__name__, error, exc_info=error)
