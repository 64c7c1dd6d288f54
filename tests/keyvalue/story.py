"""The story that the tests of the key-value backend tell.

A signal is sent, a run is created, forks into two branches, joins, takes the signal and ends.
Whoever drives it does the next thing for every cursor that it claims.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

from sayiir_core.errors import BackendError, InstanceNotFoundError
from sayiir_core.ids import InstanceId, RunId, SessionId
from sayiir_core.keyvalue import KeyValueBackend, KeyValueStore
from sayiir_core.keyvalue.session import Origin
from sayiir_core.ports.backend import Capabilities
from sayiir_core.ports.clock import Clock
from sayiir_core.ports.instances import NewInstance
from sayiir_core.ports.sessions import NewSession
from sayiir_core.snapshot.answer import Claim, Committed
from sayiir_core.snapshot.effect import Arrive, AwaitSignal, Checkpoint, Effect, Finish
from sayiir_core.snapshot.head import CursorKey, CursorState, InstanceState, Lane
from sayiir_core.snapshot.reference import JoinRef, SignalRef, StepRef
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.sample import linear, move, spawn, succeeded
from sayiir_pytest.keyvalue import DictKeyValueStore, FlakyKeyValueStore

TTL: Final = timedelta(seconds=30)
FLOW: Final = linear("story")
LANES: Final = [Lane(FLOW.identity, "")]
ONE: Final = InstanceId("one")
RUN: Final = RunId("00000000-0000-4000-8000-000000000001")
SECOND_RUN: Final = RunId("00000000-0000-4000-8000-000000000002")
TOLD: Final = {0: b"start", 10: b"left", 20: b"right"}
"""What the nodes of the story put out."""

T = TypeVar("T")


def backend_on(store: KeyValueStore, clock: Clock) -> KeyValueBackend:
    """Return a backend as a fresh process would make it."""
    return KeyValueBackend(
        store,
        clock=clock,
        capabilities=Capabilities(durable=True, shared=True, never_blocks=True),
        origin=lambda: Origin("localhost", 1),
    )


def until_answered(call: Callable[[], T]) -> T:
    """Repeat a call as long as its answer is lost."""
    while True:
        try:
            return call()
        except BackendError as error:
            if not error.transient:
                raise


def keys(store: DictKeyValueStore, *prefixes: str) -> list[str]:
    """Return all keys with these prefixes."""
    return [key for prefix in prefixes for key, _ in store.scan(prefix, after=None, limit=10_000)]


def new(run_id: RunId = RUN, *, replace: bool = False) -> NewInstance:
    """Return the run of the story."""
    return NewInstance(
        instance_id=ONE,
        run_id=run_id,
        identity=FLOW.identity,
        policy_fingerprint=FLOW.policy_fingerprint,
        input=b"in",
        node=0,
        group="",
        priority=3,
        replace=replace,
    )


def next_effects(claim: Claim) -> tuple[Effect, ...]:
    """Return what happens next where a claimed cursor stands."""
    cursor = claim.cursor
    if cursor.state is CursorState.SIGNALLED:
        assert cursor.delivered is not None
        value = SignalRef(cursor.delivered)
        return succeeded(2, source=value), Finish(value)
    if cursor.node == 0:
        return succeeded(0, output=TOLD[0]), move(1, to=JoinRef(1, 2)), spawn(1, 2)
    if cursor.node == 1:
        return move(2, to=JoinRef(1, 2)), AwaitSignal("go", None)
    output = TOLD[cursor.node]
    return succeeded(cursor.node, output=output), Arrive(StepRef(cursor.node), CursorKey(0, ()))


class Worker:
    """Drive the story under one session, as a pool does."""

    def __init__(self, backend: KeyValueBackend, name: str) -> None:
        self.backend = backend
        self.session = SessionId(name)
        self.claim_no = 0

    def register(self) -> None:
        """Register the session, unless an unanswered call has."""
        until_answered(self._register)

    def _register(self) -> None:
        if self.backend.sessions.view(self.session) is None:
            self.backend.sessions.register(
                NewSession(session_id=self.session, worker_id="w", ttl=TTL)
            )

    def begin(self) -> None:
        """Send the signal and create the run, unless that has been done."""
        until_answered(lambda: self.backend.definitions.save(FLOW))
        until_answered(self._send)
        until_answered(lambda: self.backend.instances.create([new()]))

    def _send(self) -> None:
        try:
            self.backend.instances.load(ONE)
        except InstanceNotFoundError:
            if not self.backend.signals.pending(ONE):
                self.backend.signals.send(ONE, "go", b"signal")

    def drive(self) -> None:
        """Claim and commit until nothing is claimable."""
        while claims := self.claim():
            for claim in claims:
                self.commit(claim)

    def claim(self) -> list[Claim]:
        """Claim; what an unanswered call may have got is given back first."""
        while True:
            self.claim_no += 1
            try:
                return self.backend.claims.claim(self.session, self.claim_no, LANES, 10)
            except BackendError as error:
                if not error.transient:
                    raise
                until_answered(
                    lambda: self.backend.claims.release_claim(self.session, self.claim_no)
                )

    def commit(self, claim: Claim) -> None:
        """Commit what comes next, and let go."""
        checkpoint = Checkpoint(claim.lease, claim.cursor.seq, next_effects(claim), keep=False)
        (answer,) = until_answered(lambda: self.backend.checkpoints.commit([checkpoint]))
        assert isinstance(answer, Committed)


def tell(backend: KeyValueBackend) -> None:
    """Tell the whole story with one worker."""
    worker = Worker(backend, "first")
    worker.register()
    worker.begin()
    worker.drive()
    until_answered(lambda: backend.sessions.end(worker.session))


def take_over(backend: KeyValueBackend, clock: VirtualClock) -> None:
    """Go on where a dead worker has stopped."""
    worker = Worker(backend, "second")
    worker.register()
    for _ in range(4):
        clock.advance(TTL / 3)
        assert backend.sessions.renew(worker.session)
    backend.sessions.reap(worker.session)
    worker.begin()
    worker.drive()
    backend.sessions.end(worker.session)


def assert_told(backend: KeyValueBackend, store: DictKeyValueStore) -> None:
    """Assert that the story has been told once, and that nothing else is left."""
    head = backend.instances.load(ONE)
    assert InstanceState.COMPLETED is head.header.state
    assert {} == head.cursors
    assert [] == backend.signals.pending(ONE)
    history = backend.results.steps(RUN).rows
    assert [(0, 1), (2, 1), (10, 1), (20, 1)] == sorted(
        (row.record.node, row.record.attempt) for row in history
    )
    leaves = [StepRef(node) for node in TOLD]
    assert [*TOLD.values(), b"signal"] == backend.results.payloads(
        ONE, RUN, [*leaves, head.header.output]
    )
    assert [StepRef(10), StepRef(20)] == backend.results.branches(RUN, JoinRef(1, 2))
    backend.sweep(ONE)
    assert len(history) == len(keys(store, "w/"))
    assert history == backend.results.steps(RUN).rows


class Stage:
    """A run of the story with a worker behind a flaky store, and a bystander on the same data."""

    def __init__(self) -> None:
        self.store = DictKeyValueStore()
        self.clock = VirtualClock()
        self.flaky = FlakyKeyValueStore(self.store)
        self.bystander = backend_on(self.store, self.clock)
        self.worker = Worker(backend_on(self.flaky, self.clock), "worker")
        self.worker.register()
        self.worker.begin()

    def first_step(self, claim: Claim, output: bytes) -> Checkpoint:
        """Return the commit of the first node with an output."""
        effects = succeeded(0, output=output), move(1)
        return Checkpoint(claim.lease, claim.cursor.seq, effects)

    def other_worker(self) -> Worker:
        """Return a worker of the bystander."""
        worker = Worker(self.bystander, "other")
        worker.register()
        return worker
