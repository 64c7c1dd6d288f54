"""The key-value backend keeps its word through crashes, lost answers and overtakings.

The story that most tests tell: a signal is sent, a run is created, forks into two branches, joins,
takes the signal and ends. Whoever drives it does the next thing for every cursor that it claims.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

import pytest

from sayiir_core.errors import BackendError, InstanceNotFoundError, SessionEndedError
from sayiir_core.ids import InstanceId, RunId, SessionId
from sayiir_core.keyvalue import KeyValueBackend, KeyValueStore
from sayiir_core.keyvalue.session import Origin
from sayiir_core.ports.backend import Capabilities
from sayiir_core.ports.instances import NewInstance
from sayiir_core.ports.sessions import NewSession
from sayiir_core.snapshot.answer import REPLAYED, Claim, Committed, Lost, LostReason
from sayiir_core.snapshot.effect import Arrive, AwaitSignal, Checkpoint, Effect, Finish
from sayiir_core.snapshot.head import CursorKey, CursorState, InstanceState, Lane
from sayiir_core.snapshot.reference import JoinRef, SignalRef, StepRef
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.sample import linear, move, spawn, succeeded
from sayiir_pytest.keyvalue import Crash, DictKeyValueStore, FlakyKeyValueStore

TTL: Final = timedelta(seconds=30)
FLOW: Final = linear("story")
LANES: Final = [Lane(FLOW.identity, "")]
ONE: Final = InstanceId("one")
RUN: Final = RunId("00000000-0000-4000-8000-000000000001")
SECOND_RUN: Final = RunId("00000000-0000-4000-8000-000000000002")
TOLD: Final = {0: b"start", 10: b"left", 20: b"right"}
"""What the nodes of the story put out."""

T = TypeVar("T")


def backend_on(store: KeyValueStore, clock: VirtualClock) -> KeyValueBackend:
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


def writes_of_the_story() -> int:
    """Return how many writes the story takes if nothing happens."""
    flaky = FlakyKeyValueStore(DictKeyValueStore())
    tell(backend_on(flaky, VirtualClock()))
    return flaky.writes


WRITES: Final = writes_of_the_story()


def test_the_story_is_told_without_leftovers() -> None:
    """Leave no hint and no live session when nothing goes wrong."""
    store = DictKeyValueStore()
    backend = backend_on(store, VirtualClock())

    tell(backend)

    assert_told(backend, store)
    assert [] == keys(store, "q/", "h/", "s/")


@pytest.mark.parametrize("write", range(1, WRITES + 1))
def test_a_crash_before_any_write_loses_nothing_and_repeats_nothing(write: int) -> None:
    """Let another process take over after the lease, on what the first had written."""
    store, clock = DictKeyValueStore(), VirtualClock()
    flaky = FlakyKeyValueStore(store)
    flaky.crash_at(write)

    with pytest.raises(Crash):
        tell(backend_on(flaky, clock))
    survivor = backend_on(store, clock)
    take_over(survivor, clock)

    assert_told(survivor, store)
    assert [] == keys(store, "q/", "h/", "s/")


@pytest.mark.parametrize("write", range(1, WRITES + 1))
def test_a_lost_answer_is_made_up_for_by_asking_again(write: int) -> None:
    """Repeat the call whose answer was lost, under the same session."""
    store = DictKeyValueStore()
    flaky = FlakyKeyValueStore(store)
    backend = backend_on(flaky, VirtualClock())
    flaky.lose_answer_at(write)

    tell(backend)

    assert_told(backend, store)


@pytest.mark.parametrize("write", range(1, WRITES + 1))
def test_rows_without_acknowledgement_are_never_seen(write: int) -> None:
    """Show, after any crash, exactly those records that some commit has answered or may have."""
    store, clock = DictKeyValueStore(), VirtualClock()
    flaky = FlakyKeyValueStore(store)
    flaky.crash_at(write)
    with pytest.raises(Crash):
        tell(backend_on(flaky, clock))

    reader = backend_on(store, clock)
    seen = {row.record.node for row in reader.results.steps(RUN).rows}
    by_key = {node for node in (0, 10, 20, 2) if reader.results.step(RUN, node, ()) is not None}

    assert seen == by_key
    assert {0: {0, 1}, 10: {10}, 20: {20}}.keys() >= seen - {2}
    if seen:
        head = reader.instances.load(ONE)
        waiting = {cursor.node for cursor in head.cursors.values()}
        assert not seen & waiting


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


@pytest.fixture
def stage() -> Stage:
    """Return a run that waits for its first claim."""
    return Stage()


@pytest.mark.parametrize(("operation", "prefix"), [("put", "w/"), ("put_if", "i/")])
def test_of_two_contents_under_one_guard_the_first_stands(
    stage: Stage, operation: str, prefix: str
) -> None:
    """Answer the second as a repetition, and keep nothing of it."""
    (claim,) = stage.worker.claim()
    theirs, mine = stage.first_step(claim, b"theirs"), stage.first_step(claim, b"mine")
    stage.flaky.interfere_before(
        operation, prefix, lambda: stage.bystander.checkpoints.commit([theirs])
    )

    answers = stage.worker.backend.checkpoints.commit([mine])

    assert [REPLAYED] == answers
    assert [b"theirs"] == stage.bystander.results.payloads(ONE, RUN, [StepRef(0)])
    assert 1 == len(keys(stage.store, "w/"))


def test_the_same_content_twice_under_one_guard_is_kept(stage: Stage) -> None:
    """Never take a row away whose twin was acknowledged."""
    (claim,) = stage.worker.claim()
    checkpoint = stage.first_step(claim, b"same")
    stage.flaky.interfere_before(
        "put_if", "i/", lambda: stage.bystander.checkpoints.commit([checkpoint])
    )

    answers = stage.worker.backend.checkpoints.commit([checkpoint])

    assert [REPLAYED] == answers
    assert [b"same"] == stage.bystander.results.payloads(ONE, RUN, [StepRef(0)])


def test_a_commit_overtaken_by_a_replacement_changes_nothing(stage: Stage) -> None:
    """Lose, and leave no row of the former run."""
    (claim,) = stage.worker.claim()
    late = stage.first_step(claim, b"late")
    stage.flaky.interfere_before(
        "put_if",
        "i/",
        lambda: stage.bystander.instances.create([new(SECOND_RUN, replace=True)]),
    )

    answers = stage.worker.backend.checkpoints.commit([late])

    assert [Lost(LostReason.REPLACED)] == answers
    assert SECOND_RUN == stage.bystander.instances.load(ONE).header.run_id
    assert [] == keys(stage.store, "w/", f"u/{RUN}", f"p/{RUN}", f"x/{RUN}")


def test_a_commit_overtaken_by_a_signal_keeps_both(stage: Stage) -> None:
    """Apply the checkpoint to what the signal made of the instance."""
    (claim,) = stage.worker.claim()
    stage.flaky.interfere_before(
        "put_if", "i/", lambda: stage.bystander.signals.send(ONE, "go", b"another")
    )

    answers = stage.worker.backend.checkpoints.commit([stage.first_step(claim, b"mine")])

    assert [Committed()] == answers
    assert [1, 2] == [signal.seq for signal in stage.bystander.signals.pending(ONE)]
    assert [b"mine"] == stage.bystander.results.payloads(ONE, RUN, [StepRef(0)])
    assert 1 == len(keys(stage.store, "w/"))


def test_of_two_overlapping_claims_one_gets_the_cursor(stage: Stage) -> None:
    """Give a cursor to the first and nothing to the second."""
    other = stage.other_worker()
    first: list[Claim] = []
    stage.flaky.interfere_before("put_if", "i/", lambda: first.extend(other.claim()))

    second = stage.worker.claim()

    assert 1 == len(first)
    assert [] == second


@pytest.mark.parametrize("how", ["end", "reap"])
@pytest.mark.parametrize("call", ["claim", "own"])
def test_a_session_that_ends_meanwhile_gets_nothing(stage: Stage, how: str, call: str) -> None:
    """Hold nothing under a session whose end has been completed, however late the write."""
    other = stage.other_worker()
    worker = stage.worker

    def end_it() -> None:
        if how == "end":
            stage.bystander.sessions.end(worker.session)
            return
        for _ in range(4):
            stage.clock.advance(TTL / 3)
            stage.bystander.sessions.renew(other.session)
        assert [worker.session] == stage.bystander.sessions.reap(other.session)

    stage.flaky.interfere_before("put_if", "i/", end_it)

    calls: dict[str, Callable[[], object]] = {
        "claim": worker.claim,
        "own": lambda: worker.backend.ownership.own(worker.session, ONE),
    }

    with pytest.raises(SessionEndedError):
        calls[call]()

    (claim,) = other.claim()
    assert ONE == claim.lease.instance_id
    assert () == claim.cursor.deaths


def test_a_release_amid_a_claims_last_write_is_found_by_the_next_claim(stage: Stage) -> None:
    """Do not remove the hint that the release has made, when the claim removes its own."""
    other = stage.other_worker()

    def end_the_worker() -> None:
        stage.bystander.sessions.end(stage.worker.session)

    stage.flaky.interfere_before("delete", "q/", end_the_worker)

    stage.worker.claim()

    assert 1 == len(other.claim())


def test_a_hint_without_need_is_removed_by_who_finds_it(stage: Stage) -> None:
    """Drop a hint of a revision that is past, and claim as if it was not there."""
    (hint,) = keys(stage.store, "q/")
    found = stage.store.get(hint)
    assert found is not None
    (claim,) = stage.worker.claim()
    stage.store.put(hint, found.value)

    again = stage.other_worker().claim()

    assert [] == again
    assert [] == keys(stage.store, "q/")
    assert (
        claim.lease.session == stage.bystander.instances.load(ONE).cursors[CursorKey(0, ())].session
    )


def test_an_interrupted_replacement_is_cleaned_up_without_the_new_signals(stage: Stage) -> None:
    """Remove the former run's rows at the next change, and nothing that came later."""
    worker = stage.worker
    (claim,) = worker.claim()
    worker.backend.checkpoints.commit([stage.first_step(claim, b"old")])
    stage.flaky.interfere_before("delete", "", _crash)
    with pytest.raises(Crash):
        worker.backend.instances.create([new(SECOND_RUN, replace=True)])

    stage.bystander.signals.send(ONE, "go", b"new")

    assert [] == keys(stage.store, f"w/{RUN}", f"x/{RUN}", f"u/{RUN}", f"p/{RUN}")
    (signal,) = stage.bystander.signals.pending(ONE)
    other = stage.other_worker()
    other.drive()
    assert [b"new"] == stage.bystander.results.payloads(ONE, SECOND_RUN, [SignalRef(signal.seq)])
    assert InstanceState.COMPLETED is stage.bystander.instances.load(ONE).header.state


def _crash() -> None:
    raise Crash


def test_an_interrupted_end_is_completed_by_the_next_reaper(stage: Stage) -> None:
    """Release, uncounted, what a session held that was ended in good order."""
    stage.worker.claim()
    stage.flaky.interfere_before("put_if", "i/", _crash)
    with pytest.raises(Crash):
        stage.worker.backend.sessions.end(stage.worker.session)
    other = stage.other_worker()
    for _ in range(4):
        stage.clock.advance(TTL / 3)
        assert stage.bystander.sessions.renew(other.session)

    reaped = stage.bystander.sessions.reap(other.session)

    assert [] == reaped
    (claim,) = other.claim()
    assert () == claim.cursor.deaths


def test_a_pruned_instance_leaves_only_a_counter(stage: Stage) -> None:
    """Remove every row, payload and hint; the numbering of the inbox goes on."""
    stage.worker.drive()
    stage.worker.backend.sessions.end(stage.worker.session)
    stage.clock.advance(1)

    pruned = stage.bystander.instances.prune(finished_before=stage.clock.now(), limit=9)

    assert 1 == pruned
    assert [] == keys(stage.store, "u/", "c/", "p/", "w/", "x/", "z/", "g/", "y/", "q/", "h/")
    assert 2 == stage.bystander.signals.send(ONE, "go", b"")


def test_the_document_of_a_run_does_not_grow_with_its_history(stage: Stage) -> None:
    """Keep its size after ten steps and after a hundred."""
    (claim,) = stage.worker.claim()
    sizes: list[int] = []

    for node in range(100):
        effects = succeeded(node, output=b"x" * 100), move(node + 1)
        stage.worker.backend.checkpoints.commit(
            [Checkpoint(claim.lease, claim.cursor.seq + node, effects)]
        )
        found = stage.store.get("i/one")
        assert found is not None
        sizes.append(len(found.value))

    assert abs(sizes[99] - sizes[9]) < 20
    assert 100 == len(stage.bystander.results.steps(RUN, limit=1000).rows)
