"""When a worker asks the queue: at hints and for room, but not what it knows to be empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from sayiir_core.authoring import Flow
from sayiir_core.ports.wakeup import HintKind
from sayiir_pytest.fleet.keeper import VirtualKeeper
from sayiir_runtime.client import WorkflowClient
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.payloads import default_codec
from sayiir_runtime.worker.claimer import Claimer
from sayiir_runtime.worker.desk import Desk
from sayiir_runtime.worker.outage import Outage
from sayiir_runtime.worker.script import perform
from sayiir_runtime.worker.serving import Serving

WORKFLOW = Flow("w").then(lambda value: value, name="only").build()


class Clocked:
    """A claimer whose turns are taken by hand; ``moment`` is its monotonic clock."""

    def __init__(self, backend: InMemoryBackend) -> None:
        self.moment = 0.0
        serving = Serving([WORKFLOW], default_codec())
        self.desk = Desk(
            serving,
            concurrency=10,
            aging_interval=backend.claims.aging_interval,
            clock=backend.now,
            monotonic=lambda: self.moment,
        )
        self.claimer = Claimer(
            self.desk,
            backend,
            VirtualKeeper(backend, "w", 1, monotonic=lambda: self.moment),
            Outage(self.desk.counts, "w", Random(1)),
            Random(1),
            poll=None,
            admitted=_nothing,
            settled=_nothing,
            session_lost=_nothing,
        )

    def turn(self, seconds: float = 0.0) -> int:
        """Take a turn some seconds later, and return how many claims it made."""
        self.moment += seconds
        before = self.desk.counts.claims
        perform(self.claimer.turn())
        return self.desk.counts.claims - before


@pytest.fixture
def deaf(backend: InMemoryBackend) -> Clocked:
    """Give a claimer to whom no hints travel."""
    return Clocked(backend)


@pytest.fixture
def hearing(backend: InMemoryBackend) -> Iterator[Clocked]:
    """Give a claimer that is told by the store."""
    made = Clocked(backend)
    made.claimer.subscription = backend.wakeup.subscribe(HintKind.CLAIMABLE, made.claimer.hint)
    yield made
    made.claimer.subscription.close()


def _nothing(*_: Any) -> None:
    """Look after nothing."""


def test_an_empty_queue_is_not_asked_again_for_mere_room(hearing: Clocked) -> None:
    """Wait for a hint, or for a tenth of a second."""
    assert [1, 0, 0] == [hearing.turn(), hearing.turn(), hearing.turn(0.09)]
    assert 1 == hearing.turn(0.02)


def test_who_looks_after_claims_is_not_woken_for_room_in_an_empty_queue(hearing: Clocked) -> None:
    """Nor does it forget the room, or what a lost answer leaves to be given back."""
    hearing.turn()

    hearing.claimer.wake()
    at_once = hearing.claimer._is_called()
    hearing.moment += 0.11
    later = hearing.claimer._is_called()
    hearing.turn()
    hearing.desk.gate.is_unclear = True
    hearing.claimer.wake()

    assert [False, True, True] == [at_once, later, hearing.claimer._is_called()]


def test_a_claim_that_found_less_than_it_could_take_has_emptied_the_queue(
    client: WorkflowClient, hearing: Clocked
) -> None:
    """Ask no second time behind it."""
    client.submit(WORKFLOW, "i", 1)

    claims = [hearing.turn(), hearing.turn()]

    assert [1, 0] == claims
    assert 1 == len(hearing.desk.leases())


def test_a_hint_has_an_empty_queue_asked_at_once(client: WorkflowClient, hearing: Clocked) -> None:
    """Whatever was known a moment ago."""
    hearing.turn()

    client.submit(WORKFLOW, "i", 1)

    assert 1 == hearing.turn()
    assert 1 == len(hearing.desk.leases())


def test_a_hint_during_a_claim_is_not_forgotten(
    backend: InMemoryBackend, client: WorkflowClient, hearing: Clocked
) -> None:
    """Ask again behind a claim that may have come too early for it."""
    script = hearing.claimer.turn()
    call: Callable[[], Any] = next(script)
    while getattr(call, "func", None) != backend.claims.claim:
        call = script.send(call())
    found = call()

    client.submit(WORKFLOW, "i", 1)
    with pytest.raises(StopIteration) as end:
        script.send(found)

    assert 0.0 == end.value.value
    assert 1 == hearing.turn()
    assert 1 == len(hearing.desk.leases())


def test_where_no_hints_travel_room_is_reason_enough(deaf: Clocked) -> None:
    """Ask each time: nobody would tell."""
    assert [1, 1] == [deaf.turn(), deaf.turn()]
