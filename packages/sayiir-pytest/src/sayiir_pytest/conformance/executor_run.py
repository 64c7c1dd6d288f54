"""Bodies and threads for the suite of executors."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from sayiir_core.authoring import Flow, TaskMetadata, task
from sayiir_core.errors import DefinitionError
from sayiir_core.policy import RetryPolicy
from sayiir_core.ports.executor import Execution, TaskExecutor
from sayiir_core.workflow.node import TaskNode
from sayiir_pytest import executor_bodies as bodies
from sayiir_runtime.executor.remote import RemoteBody

PATIENCE: float = bodies.PATIENCE
QUIET_SECONDS: Final = 0.3
"""For how long a body that beats must be silent to count as stopped."""


def body_of(function: Callable[..., Any], *value: Any, is_async: bool = False) -> RemoteBody:
    """Return a body as a driver makes it, of the second attempt at a task in two loops."""
    policy = RetryPolicy(3, retry_on=[bodies.MisfortuneError])
    annotated = task("charge", timeout=60.0, retries=policy)(_copied(function))
    node = Flow[Any, Any]("order").then(annotated).build().definition.nodes[0]
    assert isinstance(node, TaskNode)
    return RemoteBody(
        function=function,
        value=value,
        is_async=is_async,
        workflow_id="order",
        metadata={"team": "shop"},
        declared=TaskMetadata.from_node(node),
        node=node,
        instance_id="order-17",
        run_id="r-1",
        turns=(2, 0),
        attempt=2,
        trace_parent=f"00-{'a' * 32}-{'b' * 16}-01",
        worker_id="w-1",
    )


def _copied(function: Callable[..., Any]) -> Callable[..., Any]:
    def copy(value: Any) -> Any:
        return function(value)

    return copy


class Run:
    """A body on a thread that starts it and waits for its end, as a driver does."""

    def __init__(self, executor: TaskExecutor, body: RemoteBody) -> None:
        self._executor, self._body = executor, body
        self._started = threading.Event()
        self._execution: Execution | None = None
        self._value: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._execution = self._executor.start(self._body)
            self._started.set()
            self._value = self._execution.wait()
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            self._error = error
            self._started.set()

    def give_up(self) -> None:
        """Give the body up, from the thread of the test."""
        assert self._started.wait(PATIENCE), "start() does not return"
        assert self._execution is not None, f"it was not started: {self._error!r}"
        self._execution.give_up()

    def ends(self, within: float | None = None) -> bool:
        """Tell whether it ends, in whatever way, within seconds."""
        self._thread.join(PATIENCE if within is None else within)
        return not self._thread.is_alive()

    def result(self) -> Any:
        """Return what the body returned, or raise what it raised."""
        assert self.ends(), f"wait() does not return within {PATIENCE:.0f} s"
        if self._error is not None:
            raise self._error
        return self._value


def refusal_of(executor: TaskExecutor, function: Callable[..., Any]) -> str | None:
    """Return why an executor refuses a function, None if it takes it."""
    try:
        executor.check(function)
    except DefinitionError as refusal:
        return str(refusal)
    return None


def until(condition: Callable[[], bool]) -> None:
    """Wait for what a body does."""
    deadline, never = time.monotonic() + PATIENCE, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the body does not begin"
        never.wait(0.005)


def check_silence(file: Path) -> None:
    """Fail if a body still beats, after it was given a moment to be stopped."""
    deadline, never = time.monotonic() + PATIENCE, threading.Event()
    while time.monotonic() < deadline:
        before = file.stat().st_size
        never.wait(QUIET_SECONDS)
        if file.stat().st_size == before:
            return
    pytest.fail("the body still runs, although it was given up")
