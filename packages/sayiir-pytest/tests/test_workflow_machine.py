"""The machine finds bugs of workflows that only a story of crashes and requests shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, run_state_machine_as_test

from sayiir_core.authoring import Flow, get_task_context, task
from sayiir_core.policy import RetryPolicy
from sayiir_core.ports.backend import Backend
from sayiir_core.snapshot.answer import Answer
from sayiir_core.snapshot.effect import Checkpoint, Record
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.strategies.machine import WorkflowMachine
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.memory.checkpoints import MemoryCheckpoints

QUICK = settings(max_examples=25, stateful_step_count=15, deadline=None)
SEARCH = settings(
    max_examples=200,
    stateful_step_count=15,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate, Phase.shrink],
)


class Till:
    """Where money is taken: each payment with the instance, and the key if one was given."""

    def __init__(self) -> None:
        self.payments: list[tuple[str, str]] = []

    def take(self, instance_id: str, key: str) -> None:
        """Take a payment, unless its key is known."""
        if (instance_id, key) not in self.payments:
            self.payments.append((instance_id, key))

    def of(self, instance_id: str) -> int:
        """Count the payments for an instance."""
        return Counter(known for known, _ in self.payments)[instance_id]


def order(till: Till, *, careful: bool) -> Any:
    calls = iter(range(10**6))

    @task(retries=RetryPolicy(1, 60.0))
    def charge(amount: int) -> int:
        context = get_task_context()
        assert context is not None
        till.take(context.instance_id, context.idempotency_key if careful else str(next(calls)))
        if amount % 5 == 0 and context.attempt == 1:
            raise ValueError("the line is busy")
        return amount

    def reserve(amount: int) -> int:
        return amount + 1

    def ship(answer: Any) -> Any:
        return answer

    return (
        Flow("order")
        .fork()
        .branch(charge)
        .branch(reserve)
        .join(lambda got: sum(got.values()), name="sum")
        .delay("night", "12h")
        .wait_for_signal("approval", timeout="3d", on_timeout="nobody")
        .then(ship)
        .build()
    )


def machine(*, careful: bool) -> type[WorkflowMachine]:
    """Return a machine of orders with a till of its own for each story."""

    class Orders(WorkflowMachine):
        """Orders that are paid once."""

        inputs = st.integers(0, 100)
        signals = {"approval": st.sampled_from(["Ada", "Grace"])}  # noqa: RUF012 - never changed

        def __init__(self) -> None:
            self.till = Till()
            self.workflow = order(self.till, careful=careful)  # type: ignore[misc]
            super().__init__()

        @invariant()
        def nobody_pays_twice(self) -> None:
            """Look at the till after every event."""
            for one in self.instances:
                assert self.till.of(one.instance_id) <= 1

    return Orders


def test_a_sound_workflow_survives_every_story() -> None:
    """Starts, signals, crashes, time, cancels, pauses and retries in any order."""
    run_state_machine_as_test(machine(careful=True), settings=QUICK)


def test_a_task_that_charges_twice_after_a_crash_is_found() -> None:
    """The shortest story ends in the invariant, with the history of the instance and its place."""
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(machine(careful=False), settings=SEARCH)

    notes = "\n".join(caught.value.__notes__)
    assert "nobody_pays_twice" in "".join(str(it) for it in caught.traceback)
    assert "fork_0/charge/charge, attempt 1: " in notes
    assert "of input" in notes


def test_the_rules_reach_every_state() -> None:
    """What the machine does is more than starting."""
    seen: Counter[str] = Counter()

    class Seen(machine(careful=True)):  # type: ignore[misc]
        """Count the states that instances are seen in."""

        @invariant()
        def look(self) -> None:
            """Note how each instance stands."""
            seen.update(one.status.status for one in self.instances)

    many = settings(
        max_examples=60, stateful_step_count=20, deadline=None, database=None, derandomize=True
    )
    run_state_machine_as_test(Seen, settings=many)

    assert {"waiting", "awaiting_signal", "paused", "cancelled", "completed"} <= set(seen)


class RecordsTwice(MemoryCheckpoints):
    """Append each record twice."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        """Commit, and once more what was recorded."""
        answers = super().commit(batch)
        for checkpoint in batch:
            run = self._store.runs.get(checkpoint.lease.instance_id)
            if run is not None and any(isinstance(it, Record) for it in checkpoint.effects):
                run.record(run.steps[-1])
        return answers


def test_a_broken_law_is_found_without_an_invariant_of_the_user() -> None:
    """The machine itself minds that no step succeeds twice."""

    class Doubled(machine(careful=True)):  # type: ignore[misc]
        """A machine on a store with a bug."""

        def make_backend(self, clock: VirtualClock) -> Backend:
            """Return the broken store."""
            backend: Any = InMemoryBackend(clock=clock)
            backend.checkpoints = RecordsTwice(backend._store)
            made: Backend = backend
            return made

    with pytest.raises(AssertionError, match="recorded as succeeded 2 times") as caught:
        run_state_machine_as_test(Doubled, settings=SEARCH)

    assert "it-0" in "\n".join(caught.value.__notes__)
