"""The proof finds bugs that were put there: one in a task, the others in a store.

Each store is the memory store with one method broken; each bug is of the kind that a happy run hides.
The names of the ports' methods say what they do.
"""

# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from sayiir_core.authoring import Flow, Workflow, get_task_context, task
from sayiir_core.ids import InstanceId, SessionId
from sayiir_core.snapshot.answer import COMMITTED, Answer
from sayiir_core.snapshot.effect import Arrive, Checkpoint, Spawn
from sayiir_core.snapshot.head import CursorState
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.recovery import RecoveryError, RecoveryReport, prove_recovery
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.memory.checkpoints import MemoryCheckpoints
from sayiir_runtime.memory.sessions import MemorySessions
from sayiir_runtime.memory.signals import MemorySignals

DRIVERS = ["runner", "pool"]


def inc(value: int) -> int:
    return value + 1


def dbl(value: int) -> int:
    return value * 2


def pair(got: dict[str, int]) -> list[int]:
    return list(got.values())


def forked() -> Workflow[Any, Any]:
    return Flow("forked").then(inc).fork().branch(inc).branch(dbl).join(pair).build()


def prove_on(
    driver: Any, workflow: Workflow[Any, Any], port: str, broken: type, **options: Any
) -> RecoveryReport:
    """Prove a workflow on a memory store with one broken port."""

    def make(clock: VirtualClock) -> InMemoryBackend:
        backend = InMemoryBackend(clock=clock)
        setattr(backend, port, broken(backend._store))
        return backend

    return prove_recovery(workflow, 1, backend=make, drivers=[driver], show=False, **options)


def faults_at(report: RecoveryReport, text: str) -> list[str]:
    """Return the faults of the boundaries whose text contains something."""
    return [
        fault for trial in report.trials if text in trial.boundary.text for fault in trial.faults
    ]


# A bug in a task.


class Bank:
    """Takes money, and drops what it has seen already if it is told by which key."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, int]] = []

    def take(self, amount: int, key: str | None = None) -> None:
        """Take an amount, once per key."""
        if key is None or key not in [known for known, _ in self.taken]:
            self.taken.append((key or "no key", amount))


def paying(charge: Callable[[int], int]) -> Workflow[Any, Any]:
    return Flow("paying").then(inc).then(charge).then(dbl).build()


def linear() -> Workflow[Any, Any]:
    return paying(lambda amount: amount + 10)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_task_that_charges_twice_is_named_with_its_key(driver: Any) -> None:
    """The name is that of the task, the key the one that both of its calls were given."""
    bank, keys = Bank(), set()

    @task
    def charge(amount: int) -> int:
        context = get_task_context()
        assert context is not None
        keys.add(context.idempotency_key)
        bank.take(amount)
        return amount

    report = prove_recovery(
        paying(charge), 1, drivers=[driver], effects=lambda: bank.taken, show=False
    )

    assert [] == report.faults
    assert {"charge"} == {doubled.task for doubled in report.doubled}
    assert {doubled.idempotency_key for doubled in report.doubled} <= keys
    assert {
        "after charge ran, before its checkpoint",
        "during the commit: charge done",
        "lease lost while charge ran",
    } <= {doubled.boundary for doubled in report.doubled}
    with pytest.raises(RecoveryError, match=r"happened twice at [0-9]+ boundaries: charge"):
        report.check()


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_task_that_hands_its_key_on_charges_once(driver: Any) -> None:
    """It runs again as often, and the report says so, but nothing happens twice."""
    bank = Bank()

    @task
    def charge(amount: int) -> int:
        context = get_task_context()
        assert context is not None
        bank.take(amount, context.idempotency_key)
        return amount

    report = prove_recovery(
        paying(charge), 1, drivers=[driver], effects=lambda: bank.taken, show=False
    )

    assert report.ok
    assert "charge" in report.again


# Bugs in a store.


class LosesUpdates(MemoryCheckpoints):
    """Acknowledge every third commit and forget it, as a cache that is written back too late."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self._commits = 0

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        self._commits += 1
        if self._commits % 3:
            return super().commit(batch)
        return [COMMITTED for _ in batch]


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_lost_update_is_found(driver: Any) -> None:
    """A step that the store has acknowledged is not there when another process looks."""
    report = prove_on(driver, linear(), "checkpoints", LosesUpdates)

    assert any("was acknowledged and is not stored" in fault for fault in report.faults)


class DropsTheFence(MemoryCheckpoints):
    """Accept whatever comes in order, whoever sends it."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        return super().commit([self._unfenced(checkpoint) for checkpoint in batch])

    def _unfenced(self, checkpoint: Checkpoint) -> Checkpoint:
        lease = checkpoint.lease
        run = self._store.runs.get(lease.instance_id)
        cursor = None if run is None else run.head.cursors.get(lease.key)
        if cursor is None or cursor.session is None:
            return checkpoint
        return replace(checkpoint, lease=replace(lease, fence=cursor.fence, session=cursor.session))


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_dropped_fence_is_found(driver: Any) -> None:
    """What a dead process had sent is accepted from it after another one has taken over."""
    report = prove_on(driver, linear(), "checkpoints", DropsTheFence)

    assert any("a late write of the dead" in it for it in faults_at(report, "during the commit"))
    assert not [trial for trial in report.trials if trial.faults and not trial.boundary.place]


class ReordersSignals(MemorySignals):
    """Keep the newest signal in front."""

    def send(self, instance_id: InstanceId, name: str, payload: bytes) -> int:
        seq = super().send(instance_id, name, payload)
        self._store.inboxes[instance_id].pending.sort(key=lambda it: -it.seq)
        return seq


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_reordered_signal_is_found(driver: Any) -> None:
    """Signals of one name that queue come in another order than they were sent in."""
    workflow = (
        Flow("talk").wait_for_signal("word", name="one").wait_for_signal("word", name="two").build()
    )

    report = prove_on(
        driver, workflow, "signals", ReordersSignals, signals=[("word", 1), ("word", 2)]
    )

    assert "it gave 1, expected 2" in faults_at(report, "all signals sent before the run")
    assert [] == faults_at(report, "nothing happens")


class JoinsEarly(MemoryCheckpoints):
    """Count a join down by the first arrival of a process once too often."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        answers = super().commit(batch)
        for checkpoint in batch:
            run = self._store.runs.get(checkpoint.lease.instance_id)
            for effect in checkpoint.effects:
                parent = None
                if run is not None and isinstance(effect, Arrive):
                    parent = run.head.cursors.get(effect.parent)
                if parent is not None and parent.pending == 1:
                    parent.pending, parent.state = 0, CursorState.READY
                    parent.available_at = self._store.clock.now()
                    self._store.reindex(run)
        return answers


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_join_that_fires_early_is_found(driver: Any) -> None:
    """The join runs before all of its branches have given their values."""
    slow = Flow("slow").delay("nap", "1h").then(inc).build()
    workflow = Flow("early").fork().branch(dbl).branch(slow, name="slow").join(pair).build()

    report = prove_on(driver, workflow, "checkpoints", JoinsEarly)

    assert faults_at(report, "nothing happens")


class LosesTimers(MemorySessions):
    """Forget when something is due if the session dies that has put it to sleep."""

    def reap(self, session_id: SessionId) -> list[SessionId]:
        dead = super().reap(session_id)
        for run in self._store.runs.values():
            for cursor in run.head.cursors.values():
                if dead and cursor.state is CursorState.SLEEPING:
                    cursor.available_at = None
            self._store.reindex(run)
        return dead


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_lost_timer_is_found(driver: Any) -> None:
    """A run that was asleep when its process died never wakes; the report says where it stands."""
    workflow = Flow("nap").then(inc).delay("night", "12h").then(dbl).build()

    report = prove_on(driver, workflow, "sessions", LosesTimers)

    faults = "; ".join(faults_at(report, "inc done, parked at night, answer lost"))
    assert "it is waiting" in faults
    assert "a cursor that nothing can wake" in faults
    assert [] == faults_at(report, "after inc ran, before its checkpoint")


class ForgetsTheHold(MemoryCheckpoints):
    """Spawn the branches of a cancelled run as if nobody had cancelled it."""

    def commit(self, batch: Sequence[Checkpoint]) -> list[Answer]:
        answers = super().commit(batch)
        for checkpoint in batch:
            run = self._store.runs.get(checkpoint.lease.instance_id)
            if run is not None and any(isinstance(it, Spawn) for it in checkpoint.effects):
                for cursor in run.head.cursors.values():
                    cursor.held = False
                self._store.reindex(run)
        return answers


def test_a_cancel_that_races_a_fork_is_found() -> None:
    """The branches of a fork that was cancelled while its first task ran go on."""
    report = prove_on("pool", forked(), "checkpoints", ForgetsTheHold)

    assert faults_at(report, "cancelled while inc ran, answer lost")


class ChargesNobody(MemorySessions):
    """Take back what the dead held without counting their death."""

    def reap(self, session_id: SessionId) -> list[SessionId]:
        dead = super().reap(session_id)
        for run in self._store.runs.values():
            for cursor in run.head.cursors.values():
                cursor.deaths = ()
        return dead


@pytest.mark.parametrize("driver", DRIVERS)
def test_an_uncounted_death_is_found(driver: Any) -> None:
    """A body that kills its process each time would be delivered for ever."""
    report = prove_on(driver, linear(), "sessions", ChargesNobody)

    assert any("counts 0 deaths" in fault for fault in report.faults)


class KeepsWhatTheDeadHeld(MemorySessions):
    """Call a session dead and leave its claims to it."""

    def reap(self, session_id: SessionId) -> list[SessionId]:
        held = [
            (cursor, cursor.session)
            for run in self._store.runs.values()
            for cursor in run.head.cursors.values()
        ]
        dead = super().reap(session_id)
        for cursor, session in held:
            cursor.session = session
        return dead


def test_a_claim_that_stays_with_the_dead_is_found() -> None:
    """Nobody can go on, and the proof ends all the same."""
    report = prove_on("pool", linear(), "sessions", KeepsWhatTheDeadHeld)

    assert any("is still claimed by the dead" in fault for fault in report.faults)
