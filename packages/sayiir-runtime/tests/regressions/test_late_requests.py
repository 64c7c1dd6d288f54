"""Requests that reach the store after their sender was told of an error, as seeds of the fleet told."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from sayiir_core.authoring import Flow, task
from sayiir_core.errors import BackendError
from sayiir_core.ids import InstanceId
from sayiir_core.policy import RetryPolicy
from sayiir_runtime.api import resume_workflow, run_durable_workflow
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.payloads import default_codec
from sayiir_runtime.runner.bodies import BodyRunner
from sayiir_runtime.runner.checkpointing import CheckpointingRunner
from sayiir_runtime.runner.lease import keeper_of

PATIENCE = 10.0


def inc(value: int) -> int:
    return value + 1


class CountsWaits(BodyRunner):
    """Count how often the driver has waited."""

    waits = 0

    def wait(self, timeout: float) -> list[Any]:
        """Count, and wait."""
        self.waits += 1
        return super().wait(timeout)


def test_an_ownership_that_is_granted_late_is_given_back_all_the_same(disturbed: Any) -> None:
    """Its request came after the first giving back; nobody drove the run, and no pool saw it."""
    late: list[Any] = []

    def time_out(call: Any) -> Any:
        late.append(call)
        raise BackendError("the call timed out", transient=True)

    workflow = Flow("w").wait_for_signal("go").then(inc).build()
    run_durable_workflow(workflow, "i", 0, disturbed)
    disturbed.plain.signals.send(InstanceId("i"), "go", default_codec().encode(1))
    disturbed.around["ownership.own"] = time_out
    with pytest.raises(BackendError):
        resume_workflow(workflow, "i", disturbed)
    keeper = keeper_of(disturbed)

    keeper._tidy(disturbed, keeper.session())
    late[0]()
    keeper._tidy(disturbed, keeper.session())

    assert disturbed.plain.instances.load(InstanceId("i")).header.owner is None


def test_a_body_whose_cursor_was_taken_again_does_not_make_the_driver_spin() -> None:
    """A late reconciliation frees it; the driver claims it anew, and forgets the former body."""
    backend = InMemoryBackend()
    bodies = CountsWaits()
    runner = CheckpointingRunner(backend, make_bodies=lambda: bodies)
    both, release, calls = threading.Event(), threading.Event(), []

    @task(timeout=0.3, retries=RetryPolicy(2, 0.0))
    def slow(value: int) -> int:
        calls.append(value)
        if len(calls) == 1:
            backend.sessions.reconcile(keeper_of(backend).session(), [])
            assert release.wait(PATIENCE)
        else:
            both.set()
        return value

    @task
    def other(value: int) -> int:
        assert both.wait(PATIENCE)
        # Longer than the limit of the former body, for which nobody waits any more.
        threading.Event().wait(0.6)
        return value

    workflow = Flow("w").fork().branch(slow).branch(other).join(lambda v: v).build()

    status = runner.run(workflow, "i", 1)
    release.set()

    assert ("completed", {"slow": 1, "other": 1}) == (status.status, status.output)
    assert bodies.waits < 100
