"""What a store refuses for good fails the step that made it, and no other."""

from __future__ import annotations

from typing import Any

from sayiir_core.authoring import Flow
from sayiir_core.errors import RefusedRowError
from sayiir_core.snapshot.effect import Record
from sayiir_runtime.api import run_durable_workflow
from sayiir_runtime.memory import InMemoryBackend

LIMIT = 1000


class SmallCheckpoints:
    """Refuse large outputs as stores do: everything else of the batch is committed."""

    def __init__(self, checkpoints: Any) -> None:
        self._checkpoints = checkpoints

    def commit(self, batch: Any) -> Any:
        """Commit what is small enough, then raise if something was not."""
        fitting = [c for c in batch if not any(_is_large(e) for e in c.effects)]
        answers = self._checkpoints.commit(fitting)
        if len(fitting) < len(batch):
            raise RefusedRowError("the output is larger than the store's limit")
        return answers


def _is_large(effect: Any) -> bool:
    return isinstance(effect, Record) and len(effect.step.output or b"") > LIMIT


def small() -> InMemoryBackend:
    backend = InMemoryBackend()
    backend.checkpoints = SmallCheckpoints(backend.checkpoints)  # type: ignore[assignment]
    return backend


def large(value: int) -> str:
    return "x" * (LIMIT + value)


def test_an_output_that_the_store_refuses_fails_its_step() -> None:
    """The run raised and stayed as it was, so that each resume called the body once more."""
    status = run_durable_workflow(Flow("w").then(large).build(), "i", 1, small())

    assert "failed" == status.status
    assert status.error.startswith("RefusedRowError: the output is larger")


def test_a_refused_output_costs_its_siblings_nothing() -> None:
    """One bad row fails alone."""
    workflow = Flow("w").fork().branch(large).branch(abs).join(lambda v: v).build()

    status = run_durable_workflow(workflow, "i", 1, small())

    assert ("failed", "fork_0/large/large") == (status.status, status.failed_task)
