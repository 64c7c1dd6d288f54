"""What a store refuses for good fails the step that made it, and no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sayiir_core.authoring import Flow, task
from sayiir_core.errors import RefusedRowError
from sayiir_core.policy import RetryPolicy
from sayiir_core.snapshot.answer import Refused
from sayiir_core.snapshot.effect import Checkpoint, Record
from sayiir_core.snapshot.step import StepRecord
from sayiir_runtime.api import run_durable_workflow
from sayiir_runtime.memory import InMemoryBackend

LIMIT = 1000
WHY = f"the output is larger than the limit of {LIMIT} bytes"


class StrictCheckpoints:
    """Refuse some records as stores do: everything else of the batch is committed."""

    def __init__(self, checkpoints: Any, refuses: Callable[[StepRecord], bool]) -> None:
        self._checkpoints = checkpoints
        self._refuses = refuses

    def commit(self, batch: Any) -> Any:
        """Commit what is not refused; one answer each."""
        return [self._answer(checkpoint) for checkpoint in batch]

    def _answer(self, checkpoint: Checkpoint) -> Any:
        records = [e.step for e in checkpoint.effects if isinstance(e, Record)]
        if any(self._refuses(step) for step in records):
            return Refused(WHY)
        return self._checkpoints.commit([checkpoint])[0]


def strict(refuses: Callable[[StepRecord], bool]) -> InMemoryBackend:
    backend = InMemoryBackend()
    backend.checkpoints = StrictCheckpoints(backend.checkpoints, refuses)  # type: ignore[assignment]
    return backend


def small() -> InMemoryBackend:
    return strict(lambda step: len(step.output or b"") > LIMIT)


def large(value: int) -> str:
    return "x" * (LIMIT + value)


def test_an_output_that_the_store_refuses_fails_its_step() -> None:
    """The run raised and stayed as it was, so that each resume called the body once more."""
    status = run_durable_workflow(Flow("w").then(large).build(), "i", 1, small())

    assert ("failed", "large") == (status.status, status.failed_task)
    assert f"RefusedRowError: the store refuses what task 'large' returned: {WHY}" == status.error


def test_a_refused_output_is_not_tried_again() -> None:
    """The same body would return as much again."""
    calls: list[int] = []

    @task(retries=RetryPolicy(3, 60.0))
    def body(value: int) -> str:
        calls.append(value)
        return large(value)

    status = run_durable_workflow(Flow("w").then(body).build(), "i", 1, small())

    assert ("failed", [1]) == (status.status, calls)


def test_a_refused_output_costs_its_siblings_nothing() -> None:
    """One bad row fails alone."""
    workflow = Flow("w").fork().branch(large).branch(abs).join(lambda v: v).build()

    status = run_durable_workflow(workflow, "i", 1, small())

    assert ("failed", "fork_0/large/large") == (status.status, status.failed_task)


def test_a_refused_failure_is_told_to_the_caller() -> None:
    """Nothing can be recorded of it, so the call must not go on as if it were."""

    def fail(value: int) -> int:
        raise ValueError("bad")

    workflow = Flow("w").then(fail).build()

    with pytest.raises(RefusedRowError, match="task 'fail'"):
        run_durable_workflow(workflow, "i", 1, strict(lambda step: step.error is not None))
