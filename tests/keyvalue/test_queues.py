"""The hints of the key-value backend say enough to look ahead and to pass over."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sayiir_core.ids import InstanceId, RunId, SessionId, WorkflowId
from sayiir_core.keyvalue import Versioned
from sayiir_core.ports.instances import NewInstance
from sayiir_core.ports.sessions import NewSession
from sayiir_core.snapshot.effect import Checkpoint, Retry
from sayiir_core.snapshot.head import Lane
from sayiir_core.workflow.definition import DefinitionIdentity
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.sample import failed
from sayiir_pytest.keyvalue import DictKeyValueStore
from tests.keyvalue.story import FLOW, LANES, ONE, TTL, Stage, Worker, backend_on, keys, new


class CountingStore(DictKeyValueStore):
    """Count the documents that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def get(self, key: str) -> Versioned | None:
        """Return the value, and note that a document was read."""
        if key.startswith("i/"):
            self.read.append(key)
        return super().get(key)


def run_of(name: str, number: int) -> NewInstance:
    """Return a run of another instance than that of the story."""
    run = new(RunId(f"00000000-0000-4000-8000-1{number:011}"))
    run.instance_id = InstanceId(name)
    return run


@pytest.fixture
def stage() -> Stage:
    """Return a run that waits for its first claim."""
    return Stage()


def test_many_cursors_that_avoid_a_claim_are_not_even_read() -> None:
    """Pass over them by what their hints say, and give all of them to another session."""
    store, clock = CountingStore(), VirtualClock()
    backend = backend_on(store, clock)
    me, other = Worker(backend, "me"), Worker(backend, "other")
    for worker in (me, other):
        backend.sessions.register(
            NewSession(session_id=worker.session, worker_id="w", ttl=TTL, lanes=tuple(LANES))
        )
    backend.definitions.save(FLOW)
    for number in range(20):
        backend.instances.create([run_of(f"many-{number}", number)])
    retry = Retry(clock.now() + timedelta(seconds=1))
    while claims := me.claim():
        backend.checkpoints.commit(
            [Checkpoint(it.lease, it.cursor.seq, (failed(), retry)) for it in claims]
        )
    clock.advance(1)
    store.read.clear()

    mine = me.claim()

    assert [] == mine
    assert [] == store.read
    assert 10 == len(other.claim())


def test_a_hint_without_need_is_not_due(stage: Stage) -> None:
    """Look ahead by what is really queued."""
    (hint,) = keys(stage.store, "q/")
    found = stage.store.get(hint)
    assert found is not None
    (claim,) = stage.worker.claim()
    later = stage.clock.now() + timedelta(seconds=7)
    checkpoint = Checkpoint(claim.lease, claim.cursor.seq, (failed(), Retry(later)))
    stage.worker.backend.checkpoints.commit([checkpoint])

    stage.store.put(hint, found.value)

    assert later == stage.bystander.claims.next_due(LANES)


def test_the_lanes_of_a_session_are_told_whatever_their_names(stage: Stage) -> None:
    """Return them in the order in which they were registered."""
    odd = DefinitionIdentity(WorkflowId("a/b%"), "0" * 64)
    lanes = (Lane(odd, "ü,/"), *LANES, Lane(odd, ""))
    stage.bystander.sessions.register(
        NewSession(session_id=SessionId("s"), worker_id="v", ttl=TTL, lanes=lanes)
    )

    view = stage.worker.backend.sessions.view(SessionId("s"))

    assert view is not None
    assert lanes == view.lanes
    assert [view.session_id, stage.worker.session] == [
        it.session_id for it in stage.bystander.sessions.live()
    ]


def test_expired_signals_leave_no_payload(stage: Stage) -> None:
    """Remove only those of ids without a future, and go on numbering."""
    early = InstanceId("never")
    for name in ("go", "stop"):
        stage.worker.backend.signals.send(early, name, b"payload")
    stage.clock.advance(1)

    removed = [
        stage.bystander.signals.expire(received_before=stage.clock.now(), limit=limit)
        for limit in (0, 1, 9, 9)
    ]

    assert [0, 1, 1, 0] == removed
    assert [] == stage.bystander.signals.pending(early)
    assert [] == keys(stage.store, "g/never")
    assert 1 == len(stage.bystander.signals.pending(ONE))
    assert 3 == stage.bystander.signals.send(early, "go", b"")


def test_a_signal_that_is_consumed_meanwhile_is_not_expired(stage: Stage) -> None:
    """Decide anew when the instance has come to life under the hands of the sweep."""
    early = InstanceId("never")
    stage.bystander.signals.send(early, "go", b"payload")
    stage.clock.advance(1)
    run = run_of(early, 7)
    stage.flaky.interfere_before(
        "put_if", "i/never", lambda: stage.bystander.instances.create([run])
    )

    removed = stage.worker.backend.signals.expire(received_before=stage.clock.now(), limit=9)

    assert 0 == removed
    assert 1 == len(stage.bystander.signals.pending(early))
