"""Which branches of its own forks a worker goes on with, and what it leaves to others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from sayiir_core.authoring import Flow, task
from sayiir_core.ids import SessionId
from sayiir_core.ports.sessions import NewSession
from sayiir_core.snapshot.answer import REPLAYED, Claim
from sayiir_core.snapshot.effect import Checkpoint
from sayiir_runtime.client import WorkflowClient
from sayiir_runtime.memory import InMemoryBackend
from sayiir_runtime.payloads import default_codec
from sayiir_runtime.runner.input import InputReader
from sayiir_runtime.worker import WorkerHandle
from sayiir_runtime.worker.desk import Desk
from sayiir_runtime.worker.held import Held
from sayiir_runtime.worker.serving import Serving

Start = Callable[..., WorkerHandle]

MINE, OTHER = SessionId("m" * 32), SessionId("o" * 32)


def pass_on(value: Any) -> Any:
    return value


def with_options(name: str, **options: Any) -> Any:
    """Return a new task, which a shared function could not be for several branches."""

    def own(value: Any) -> Any:
        return value

    return task(name, **options)(own)


class Hands:
    """Do by hand what the threads of a worker do for a desk; ``moment`` is its monotonic clock."""

    def __init__(
        self, backend: InMemoryBackend, workflow: Any, concurrency: int, tags: Any
    ) -> None:
        self.backend = backend
        self.moment = 0.0
        self.workflow = workflow
        self.serving = Serving([workflow], default_codec(), tags)
        self.desk = Desk(
            self.serving,
            concurrency=concurrency,
            aging_interval=backend.claims.aging_interval,
            clock=backend.now,
            monotonic=lambda: self.moment,
        )
        every = Serving([workflow], default_codec())
        self.lanes = tuple(sorted(every.lanes))
        for session in (MINE, OTHER):
            backend.sessions.register(
                NewSession(
                    session_id=session, worker_id="w", ttl=timedelta(seconds=30), lanes=self.lanes
                )
            )

    def claim(self, limit: int = 10) -> None:
        """Claim for the desk."""
        self.desk.admit(self.backend.claims.claim(MINE, 1, self.serving.lanes, limit), limit)

    def claim_elsewhere(self) -> Sequence[Claim]:
        """Claim everything that is left, as another worker that serves every lane."""
        return self.backend.claims.claim(OTHER, 1, self.lanes, 100)

    def run(self) -> None:
        """Run what may start, with inputs that are at hand: nothing is read."""
        while (held := self.desk.take(is_async=False)) is not None:
            lease, program, body = held.claim.lease, held.program, held.body
            assert body is not None
            nowhere: Any = None
            reader = InputReader(
                nowhere, program.codec, program.definition, lease.instance_id, lease.run_id
            )
            attempt = held.begin(reader.read(held.claim, held.carry, body), self.backend.now)
            attempt.run()
            self.desk.ended(held, attempt)

    def send(self) -> tuple[list[Held], list[Checkpoint]]:
        """Take what has ended for a commit."""
        batch = self.desk.batch()
        return batch, [held.checkpoint for held in batch if held.checkpoint is not None]

    def commit(self) -> list[Checkpoint]:
        """Commit what has ended and return it."""
        batch, checkpoints = self.send()
        self.desk.answered(batch, self.backend.checkpoints.commit(checkpoints))
        return checkpoints

    def fork(self) -> None:
        """Claim, run and commit the first task."""
        self.claim()
        self.run()
        self.commit()

    def held(self) -> list[int]:
        """Return the scopes of the cursors that are held."""
        return sorted(lease.scope for lease in self.desk.leases())


@pytest.fixture
def hands(backend: InMemoryBackend, client: WorkflowClient) -> Callable[..., Hands]:
    """Give a function that submits a fork and returns the hands of a worker for it."""

    def make(*branches: Any, concurrency: int = 10, tags: Any = ()) -> Hands:
        flow: Any = Flow("forked").then(pass_on, name="first").fork()
        for number, branch in enumerate(branches):
            flow = flow.branch(branch, name=f"b{number}")
        workflow = flow.join(pass_on, name="join").build()
        client.submit(workflow, "i", [7])
        return Hands(backend, workflow, concurrency, tags)

    return make


def test_a_worker_goes_on_with_the_branches_of_its_fork(hands: Callable[..., Hands]) -> None:
    """Without a claim and without a read, up to the join and the end."""
    worker = hands(pass_on, pass_on, pass_on)

    worker.fork()
    branches, left = worker.held(), worker.claim_elsewhere()
    for _ in range(3):
        worker.run()
        worker.commit()

    assert [1, 2, 3] == branches
    assert [] == left
    assert worker.desk.is_idle()
    assert 5 == worker.desk.counts.succeeded


def test_it_takes_as_many_as_it_has_room_for(hands: Callable[..., Hands]) -> None:
    """Leave the rest of a wide fork to others; the place of the fork itself is free again."""
    worker = hands(*[pass_on] * 5, concurrency=2)

    worker.fork()

    assert [1, 2] == worker.held()
    assert [3, 4, 5] == sorted(claim.lease.scope for claim in worker.claim_elsewhere())


def test_it_takes_the_most_urgent_ones(hands: Callable[..., Hands]) -> None:
    """As a claim would, whatever the order in which the fork names them."""
    branches = [with_options(f"t{it}", priority=it) for it in (4, 2, 5, 1)]
    worker = hands(*branches, concurrency=2)

    worker.fork()

    assert [2, 4] == worker.held()


def test_it_takes_no_branch_of_a_lane_that_it_does_not_serve(
    hands: Callable[..., Hands],
) -> None:
    """Leave a task with other tags to who has them."""
    worker = hands(pass_on, with_options("far", tags=["far"]), pass_on, tags=["near"])

    worker.fork()

    assert [1, 3] == worker.held()
    assert [2] == [claim.lease.scope for claim in worker.claim_elsewhere()]


def test_branches_that_are_on_their_way_use_up_the_room(hands: Callable[..., Hands]) -> None:
    """Claim nothing for places that the answer to a fork will take."""
    worker = hands(*[pass_on] * 3, concurrency=3)
    worker.claim()
    worker.run()

    before = worker.desk.quota()
    batch, checkpoints = worker.send()
    meanwhile = worker.desk.quota()
    worker.desk.answered(batch, worker.backend.checkpoints.commit(checkpoints))
    behind = worker.desk.quota()
    worker.run()
    worker.commit()

    assert (2, 0, 0, 2) == (before, meanwhile, behind, worker.desk.quota())


def test_answers_that_cannot_be_taken_keep_no_room(
    hands: Callable[..., Hands], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expect branches no more, whatever fails behind the answer that would have given them."""
    worker = hands(*[pass_on] * 3, concurrency=3)
    worker.claim()
    worker.run()
    batch, checkpoints = worker.send()
    answers = worker.backend.checkpoints.commit(checkpoints)

    def fail() -> Any:
        raise ValueError("no clock (by the test)")

    with monkeypatch.context() as patch:
        patch.setattr(worker.desk, "clock", fail)
        with pytest.raises(ValueError, match="no clock"):
            worker.desk.answered(batch, answers)
    worker.desk.forget_unanswered(batch)

    assert [] == worker.held()
    assert 3 == worker.desk.quota()


def test_a_branch_that_the_queue_puts_last_is_left_while_there_is_better(
    hands: Callable[..., Hands],
) -> None:
    """Look at the last claim: one that was full has left something better than this branch."""
    worker = hands(pass_on, with_options("late", priority=5))
    worker.claim(limit=1)

    worker.run()
    worker.commit()

    assert [1] == worker.held()


def test_a_worker_that_drains_takes_none(hands: Callable[..., Hands]) -> None:
    """Leave all branches to others, at once."""
    worker = hands(pass_on, pass_on)
    worker.claim()
    worker.run()
    worker.desk.drain()

    worker.commit()

    assert [] == worker.held()
    assert 2 == len(worker.claim_elsewhere())


def test_what_a_worker_keeps_for_long_goes_through_the_queue(hands: Callable[..., Hands]) -> None:
    """Count the time of a branch from the claim of its flow, not from its fork."""
    line = Flow("line").then(pass_on, name="one").then(pass_on, name="two").build()
    worker = hands(line, line)
    worker.claim()
    worker.moment = 0.6
    worker.run()
    worker.commit()

    worker.moment = 1.2
    worker.run()
    steps = worker.commit()

    assert [False, False] == [checkpoint.keep for checkpoint in steps]
    assert 2 == len(worker.claim_elsewhere())


def test_a_fork_after_a_long_time_gives_nothing(hands: Callable[..., Hands]) -> None:
    """Let the queue decide anew when a flow was kept for more than a second."""
    worker = hands(pass_on, pass_on)
    worker.claim()
    worker.run()
    worker.moment = 1.1

    worker.commit()

    assert [] == worker.held()


def test_the_branches_of_a_repeated_fork_are_given_back(hands: Callable[..., Hands]) -> None:
    """Know them no more when the first answer was lost, and have that put in order."""
    worker = hands(pass_on, pass_on)
    worker.claim()
    worker.run()
    batch, checkpoints = worker.send()
    worker.backend.checkpoints.commit(checkpoints)

    answers = worker.backend.checkpoints.commit(checkpoints)
    worker.desk.answered(batch, answers)

    assert [REPLAYED] == answers
    assert worker.desk.gate.is_unclear
    assert [] == worker.desk.leases()
    assert 10 == worker.desk.quota()


def test_two_forks_in_one_batch_share_the_room(
    client: WorkflowClient, hands: Callable[..., Hands]
) -> None:
    """Give the second fork what the first one has left."""
    worker = hands(*[pass_on] * 3, concurrency=5)
    client.submit(worker.workflow, "j", [7])

    worker.fork()

    assert [1, 1, 2, 2, 3] == worker.held()


def test_a_wide_fork_is_shared_by_two_workers(
    client: WorkflowClient, start: Start, until: Callable[[Callable[[], Any]], Any]
) -> None:
    """Wake the other one for what the first one leaves; nobody waits for a slot."""
    flow: Any = Flow("wide").then(pass_on, name="first").fork()
    for number in range(12):
        flow = flow.branch(pass_on, name=f"b{number}")
    workflow = flow.join(len, name="join").build()
    workers = [start(workflow, name=name, concurrency=4) for name in ("one", "two")]

    results = [client.submit(workflow, f"i{it}", it).result(timeout=20) for it in range(5)]

    assert [12] * 5 == results
    assert 5 * 14 == sum(worker.report().counts["succeeded"] for worker in workers)
