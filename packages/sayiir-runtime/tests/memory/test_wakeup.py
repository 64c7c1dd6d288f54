"""The memory store hints, once per call and with its lock free, at what pools may want to know."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from threading import Barrier, Thread

import pytest

from sayiir_core.ids import InstanceId, RunId, RunKey, SessionId, WorkflowId
from sayiir_core.ports.instances import NewInstance
from sayiir_core.ports.sessions import NewSession
from sayiir_core.ports.wakeup import HintKind
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.effect import (
    Arrive,
    AwaitSignal,
    Checkpoint,
    Child,
    Effect,
    Fail,
    Finish,
    Move,
    Record,
    Retry,
    Sleep,
    Spawn,
)
from sayiir_core.snapshot.head import CursorKey, Lane
from sayiir_core.snapshot.reference import INPUT
from sayiir_core.snapshot.step import ErrorRecord, StepRecord, StepStatus
from sayiir_core.workflow.definition import DefinitionIdentity
from sayiir_pytest.clock import VirtualClock
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.memory.wakeup import MemorySubscription

CLAIMABLE, ENDED = HintKind
TTL = timedelta(seconds=30)
POOL, RUNNER = SessionId("pool"), SessionId("runner")
ONE = InstanceId("one")
KEY = RunKey(ONE, RunId("run-one"))
IDENTITY = DefinitionIdentity(WorkflowId("flow"), "h")
LANE = Lane(IDENTITY, "")
ERROR = ErrorRecord(path="a", type="ValueError", message="bad")


class Stage:
    """A memory backend with two sessions, and the hints that it gave."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.backend = InMemoryBackend(clock=self.clock)
        self.hints: list[HintKind] = []
        for session in (POOL, RUNNER):
            self.backend.sessions.register(
                NewSession(session_id=session, worker_id=session, ttl=TTL)
            )
        self.subscription = self.subscribe(CLAIMABLE)
        self.ends = self.subscribe(ENDED)

    def subscribe(self, kind: HintKind) -> MemorySubscription:
        """Note the hints of a kind from now on."""
        return self.backend.wakeup.subscribe(kind, partial(self.hear, kind))

    def hear(self, kind: HintKind) -> None:
        """Note a hint; the store's lock is free, so this can look around."""
        assert not self.backend._store.lock.locked()
        self.backend.sessions.live()
        self.hints.append(kind)

    def during(self, call: Callable[[], object]) -> list[HintKind]:
        """Return the hints that a call gives."""
        self.hints.clear()
        call()
        return [*self.hints]

    def new(
        self, name: str = ONE, *, owner: SessionId | None = None, replace: bool = False
    ) -> NewInstance:
        """Return a run to create."""
        return NewInstance(
            instance_id=InstanceId(name),
            run_id=RunId(f"run-{name}{'-again' if replace else ''}"),
            identity=IDENTITY,
            policy_fingerprint="p",
            input=b"in",
            node=0,
            group="",
            priority=3,
            owner=owner,
            replace=replace,
        )

    def start(self, *, owner: SessionId | None = None) -> Claim:
        """Create a run and claim its cursor, for the pool or its owner."""
        self.backend.instances.create([self.new(owner=owner)])
        return self.owned() if owner else self.take()[0]

    def owned(self) -> Claim:
        """Claim the runner's cursor anew."""
        self.backend.sessions.reconcile(RUNNER, [], KEY)
        (claim,) = self.backend.ownership.claim_owned(RUNNER, 1, KEY, 9)
        return claim

    def take(self) -> list[Claim]:
        """Claim for the pool."""
        return self.backend.claims.claim(POOL, 1, [LANE], 100)

    def commit(self, claim: Claim, *effects: Effect, keep: bool = True) -> Callable[[], object]:
        """Return the call that commits some effects."""

        def call() -> None:
            checkpoint = Checkpoint(claim.lease, claim.cursor.seq, effects, keep)
            claim.cursor.seq += 1
            self.backend.checkpoints.commit([checkpoint])

        return call

    def in_seconds(self, seconds: float) -> Retry:
        """Return a retry after a back-off."""
        return Retry(self.clock.now() + timedelta(seconds=seconds))


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Return a store with a listener."""
    stage = Stage()
    yield stage
    stage.subscription.close()
    stage.ends.close()


def move() -> Move:
    """Return a move to the next node."""
    return Move(1, (), INPUT, "", 3)


def step() -> tuple[Effect, Effect]:
    """Return the commonest effects of a step."""
    record = StepRecord(node=0, turns=(), attempt=1, status=StepStatus.SUCCEEDED, output=b"")
    return Record(record), move()


def fork(*scopes: int) -> Spawn:
    """Return a fork into branches."""
    return Spawn(tuple(Child(scope, 10 * scope, (), "", 3) for scope in scopes), INPUT)


def test_a_batch_of_new_runs_gives_one_hint(stage: Stage) -> None:
    """A run that is born owned gives none."""
    batch = [stage.new("a"), stage.new("b")]

    assert [CLAIMABLE] == stage.during(lambda: stage.backend.instances.create(batch))
    assert [] == stage.during(lambda: stage.backend.instances.create(batch))
    owned = stage.new("c", owner=RUNNER)
    assert [] == stage.during(lambda: stage.backend.instances.create([owned]))


def test_a_replaced_run_has_ended(stage: Stage) -> None:
    """Who waits for it is told, even if the new one is nobody's business."""
    stage.start(owner=RUNNER)
    again = stage.new(owner=RUNNER, replace=True)

    assert [ENDED] == stage.during(lambda: stage.backend.instances.create([again]))


def test_steps_that_stay_with_their_worker_give_no_hint(stage: Stage) -> None:
    """Nothing becomes claimable by anybody else, nor by a claim."""
    stage.backend.instances.create([stage.new()])

    assert [] == stage.during(stage.take)
    stage.backend.claims.release_claim(POOL, 1)
    (claim,) = stage.take()
    assert [] == stage.during(stage.commit(claim, *step()))
    assert [] == stage.during(stage.commit(claim, *step()))


def test_branches_give_one_hint_together(stage: Stage) -> None:
    """So does the join, unless who completes it keeps it."""
    fork_it = stage.commit(stage.start(), move(), fork(1, 2))

    assert [CLAIMABLE] == stage.during(fork_it)
    one, two = stage.take()
    arrive = Arrive(INPUT, CursorKey(0, ()))
    assert [] == stage.during(stage.commit(one, arrive))
    assert [CLAIMABLE] == stage.during(stage.commit(two, arrive, keep=False))


@pytest.mark.parametrize(
    ("effects", "keep", "expected"),
    [
        (step(), False, [CLAIMABLE]),
        ((move(), AwaitSignal("go", None)), True, []),
        ((move(), AwaitSignal("go", timedelta(0))), True, [CLAIMABLE]),
        ((Finish(INPUT),), True, [ENDED]),
        ((*step()[:1], Finish(INPUT)), True, [ENDED]),
        ((Fail(ERROR),), True, [ENDED]),
    ],
)
def test_a_commit_that_frees_a_cursor_or_ends_the_run_gives_one_hint(
    stage: Stage, effects: tuple[Effect, ...], keep: bool, expected: list[HintKind]
) -> None:
    """A park gives none unless it is over at once."""
    assert expected == stage.during(stage.commit(stage.start(), *effects, keep=keep))


def test_only_what_is_due_now_is_worth_a_hint(stage: Stage) -> None:
    """A later due time can be asked for."""
    early, late = stage.start(), stage.clock.now() + timedelta(seconds=5)

    assert [] == stage.during(stage.commit(early, stage.in_seconds(5)))
    assert late == stage.backend.claims.next_due([LANE])
    stage.clock.advance(5)
    (claim,) = stage.take()
    assert [CLAIMABLE] == stage.during(stage.commit(claim, stage.in_seconds(0)))
    (claim,) = stage.take()
    sleep = Sleep(stage.clock.now() + timedelta(seconds=5))
    assert [] == stage.during(stage.commit(claim, move(), sleep))


def test_what_is_owned_is_no_news_until_it_is_given_back(stage: Stage) -> None:
    """Neither a step nor a signal, but the end of the ownership, once."""
    claim = stage.start(owner=RUNNER)
    wait = stage.commit(claim, move(), AwaitSignal("go", None))

    def disown() -> None:
        stage.backend.ownership.disown(RUNNER, KEY)

    assert [] == stage.during(wait)
    assert [] == stage.during(lambda: stage.backend.signals.send(ONE, "go", b""))
    assert [CLAIMABLE] == stage.during(disown)
    assert [] == stage.during(disown)
    assert [] == stage.during(lambda: stage.backend.ownership.own(RUNNER, ONE))


def test_a_signal_that_wakes_a_cursor_gives_a_hint(stage: Stage) -> None:
    """One that is kept gives none."""
    stage.commit(stage.start(), move(), AwaitSignal("go", None))()

    assert [] == stage.during(lambda: stage.backend.signals.send(ONE, "stop", b""))
    assert [CLAIMABLE] == stage.during(lambda: stage.backend.signals.send(ONE, "go", b""))


def test_requests_give_a_hint_if_they_free_or_end_something(stage: Stage) -> None:
    """Cancelling ends, unpausing and retrying free, pausing does neither."""
    control = stage.backend.control
    stage.backend.instances.create([stage.new()])

    assert [] == stage.during(lambda: control.pause(ONE, reason=None, by=None))
    assert [CLAIMABLE] == stage.during(lambda: control.unpause(ONE))
    stage.commit(stage.take()[0], Fail(ERROR))()
    assert [CLAIMABLE] == stage.during(lambda: control.retry(ONE))
    assert [ENDED] == stage.during(lambda: control.cancel(ONE, reason=None, by=None))


@pytest.mark.parametrize("last", ["step", "arrival", "release", "end"])
def test_the_last_body_of_a_run_that_was_stopped_gives_a_hint(stage: Stage, last: str) -> None:
    """Only from then on the run is seen to have ended."""
    stage.commit(stage.start(), move(), fork(1, 2), keep=False)()
    one, two = stage.take()
    stage.commit(one, Fail(ERROR))()
    calls: dict[str, Callable[[], object]] = {
        "step": stage.commit(two, *step()),
        "arrival": stage.commit(two, Arrive(INPUT, CursorKey(0, ()))),
        "release": lambda: stage.backend.claims.release([two.lease]),
        "end": lambda: stage.backend.sessions.end(POOL),
    }

    assert [ENDED] == stage.during(calls[last])
    assert not stage.backend.instances.load(ONE).executing


def test_giving_back_gives_one_hint_however_it_is_done(stage: Stage) -> None:
    """Released, given back by the number of the call, reconciled, ended: once per call."""
    stage.backend.instances.create([stage.new("a"), stage.new("b")])
    sessions, claims = stage.backend.sessions, stage.backend.claims
    calls: list[Callable[[], object]] = [
        lambda: claims.release([claim.lease for claim in taken]),
        lambda: claims.release_claim(POOL, 1),
        lambda: sessions.reconcile(POOL, []),
        lambda: sessions.end(POOL),
    ]

    for call in calls:
        taken = stage.take()
        assert 2 == len(taken)
        assert [CLAIMABLE] == stage.during(call)
        assert [] == stage.during(call)


def test_taking_from_the_dead_gives_a_hint(stage: Stage) -> None:
    """What a reaped session held is claimable from then on."""
    stage.start()
    for _ in range(4):
        stage.clock.advance(TTL / 3)
        stage.backend.sessions.renew(RUNNER)

    assert [CLAIMABLE] == stage.during(lambda: stage.backend.sessions.reap(RUNNER))


def test_closing_the_backend_gives_a_hint(stage: Stage) -> None:
    """What its sessions held is claimable by those of the next opening."""
    stage.start()

    assert [CLAIMABLE] == stage.during(stage.backend.close)


def test_a_closed_subscription_hears_nothing_more(stage: Stage) -> None:
    """Nor does closing it twice concern another one with the same function."""
    other = stage.subscribe(CLAIMABLE)
    stage.subscription.close()
    stage.subscription.close()

    assert [CLAIMABLE] == stage.during(lambda: stage.backend.instances.create([stage.new("a")]))
    other.close()
    assert [] == stage.during(lambda: stage.backend.instances.create([stage.new("b")]))
    assert (None, None) == (stage.subscription.trouble, other.trouble)


def test_a_new_listener_is_not_told_what_was_before(stage: Stage) -> None:
    """It looks by itself when it starts."""
    stage.subscription.close()
    stage.ends.close()
    stage.commit(stage.start(), Finish(INPUT))()
    stage.subscription, stage.ends = stage.subscribe(CLAIMABLE), stage.subscribe(ENDED)

    assert [] == stage.during(lambda: stage.backend.sessions.end(POOL))


def test_a_hint_may_end_its_own_subscription(stage: Stage) -> None:
    """It is called without any lock."""
    stage.subscription.close()
    heard: list[bool] = []

    def once() -> None:
        heard.append(True)
        subscription.close()

    subscription = stage.backend.wakeup.subscribe(CLAIMABLE, once)
    for name in ("a", "b"):
        stage.backend.instances.create([stage.new(name)])

    assert [True] == heard


def test_no_change_of_another_thread_stays_untold(stage: Stage) -> None:
    """After the last of many calls in four threads somebody has looked at the last change."""
    seen: list[int] = []
    stage.subscription.close()
    stage.subscription = stage.backend.wakeup.subscribe(
        CLAIMABLE, lambda: seen.append(len(stage.backend._store.runs))
    )
    barrier = Barrier(4)

    def create(thread: int) -> None:
        barrier.wait(60)
        for number in range(200):
            stage.backend.instances.create([stage.new(f"{thread}-{number}")])

    threads = [Thread(target=create, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert 800 == max(seen)


def test_a_batch_that_frees_a_cursor_and_ends_a_run_gives_a_hint_of_each_kind(stage: Stage) -> None:
    """One to who claims, one to who waits for an end."""
    stage.backend.instances.create([stage.new("a"), stage.new("b")])
    going, ending = (
        Checkpoint(claim.lease, claim.cursor.seq, effects, keep=False)
        for claim, effects in zip(stage.take(), (step(), (Finish(INPUT),)), strict=True)
    )

    heard = stage.during(lambda: stage.backend.checkpoints.commit([going, ending]))

    assert [CLAIMABLE, ENDED] == heard
