"""A process that crashes at a chosen call stays dead, and what it does before is what it says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sayiir_core.ids import SessionId
from sayiir_core.ports.backend import Backend
from sayiir_core.ports.sessions import NewSession
from sayiir_core.ports.wakeup import HintKind
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.rig import TTL, Rig
from sayiir_pytest.crash import (
    CrashingBackend,
    CrashPoint,
    Moment,
    SimulatedCrash,
    as_backend,
    bury,
)
from sayiir_runtime.memory import InMemoryBackend


class Stage:
    """A store, and a process that dies at its next claim."""

    def __init__(self, moment: Moment = Moment.AFTER) -> None:
        self.clock = VirtualClock()
        self.store: Backend = InMemoryBackend(clock=self.clock)
        self.rig = Rig(lambda: self.store, self.clock)
        self.rig.create(self.rig.new())
        self.process = CrashingBackend(self.store, CrashPoint(1, moment))
        self.backend = as_backend(self.process)
        self.session = SessionId("of the process")
        self.backend.sessions.register(
            NewSession(session_id=self.session, worker_id="worker", ttl=TTL)
        )

    def crash(self) -> None:
        """Die at a claim."""
        with pytest.raises(SimulatedCrash):
            self.backend.claims.claim(self.session, 1, [self.rig.lane()], 10)


@pytest.mark.parametrize(("moment", "left"), [(Moment.BEFORE, 1), (Moment.AFTER, 0)])
def test_the_chosen_call_reaches_the_store_or_not(moment: Moment, left: int) -> None:
    """Die before the store saw the call, or with its answer lost."""
    stage = Stage(moment)

    stage.crash()

    assert left == len(stage.rig.claim(stage.rig.session()))


def test_a_dead_process_calls_nothing() -> None:
    """Raise at every call from then on, also at one that changes nothing, and at a port."""
    stage = Stage()
    claims = stage.backend.claims
    stage.crash()

    with pytest.raises(SimulatedCrash):
        claims.next_due([])
    with pytest.raises(SimulatedCrash):
        _ = stage.backend.sessions


def test_what_a_port_knows_is_passed_on_as_it_is() -> None:
    """Answer a property with its value, and count only calls that change the store."""
    stage = Stage()

    assert stage.store.claims.aging_interval == stage.backend.claims.aging_interval
    assert stage.clock.now() == stage.backend.claims.next_due([stage.rig.lane()])
    assert 0 == stage.process.calls


def test_the_dead_hear_no_hints() -> None:
    """Give a process hints while it lives, and none from then on; a second one hears on."""
    stage = Stage()
    heard: list[str] = []
    assert stage.backend.wakeup is not None
    assert stage.store.wakeup is not None
    stage.backend.wakeup.subscribe(HintKind.CLAIMABLE, lambda: heard.append("process"))
    stage.store.wakeup.subscribe(HintKind.CLAIMABLE, lambda: heard.append("other"))

    stage.rig.create(stage.rig.new())
    stage.crash()
    stage.rig.create(stage.rig.new())

    assert ["process", "other", "other"] == heard


def test_the_buried_hold_nothing() -> None:
    """Reap the dead session once its lease is over, and give back what it held."""
    stage = Stage()
    stage.crash()

    reaped = bury(stage.store, stage.clock, timedelta(minutes=1))

    assert [stage.session] == reaped
    assert 1 == len(stage.rig.claim(stage.rig.session()))
