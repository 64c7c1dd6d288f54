"""What a checkpoint must do at forks and joins."""

from __future__ import annotations

import pytest

from sayiir_core.snapshot.answer import COMMITTED, HELD, Committed
from sayiir_core.snapshot.effect import Arrive, Checkpoint
from sayiir_core.snapshot.head import CursorKey, CursorState, InstanceState
from sayiir_core.snapshot.reference import INPUT, JoinRef, StepRef
from sayiir_core.snapshot.step import ErrorRecord
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import ERROR, ROOT_KEY, give_up, move, spawn, step, succeeded
from sayiir_pytest.conformance.suite import Conformance


class ForkCases(Conformance):
    """Test cursors that appear and meet."""

    def test_a_fork_adds_one_claimable_cursor_per_branch(self, rig: Rig) -> None:
        """Store each child with the fork's input, lane and priority, and park the parent."""
        hand = rig.start()

        answer = hand.commit(
            succeeded(0), move(9, to=JoinRef(1, 2)), spawn(1, 2, value=StepRef(0), group="gpu")
        )

        assert COMMITTED == answer
        cursors = rig.load(hand.instance_id).cursors
        parent = cursors[ROOT_KEY]
        assert (CursorState.JOINING, None, 2, None, 9, JoinRef(1, 2)) == (
            parent.state,
            parent.available_at,
            parent.pending,
            parent.session,
            parent.node,
            parent.input,
        )
        for scope in (1, 2):
            child = cursors[CursorKey(scope, ())]
            assert (10 * scope, StepRef(0), "gpu", CursorState.READY, rig.clock.now(), False) == (
                child.node,
                child.input,
                child.group,
                child.state,
                child.available_at,
                child.held,
            )
        assert 2 == len(rig.claim(rig.session(), "gpu"))

    def test_a_joining_parent_is_never_claimable(self, rig: Rig) -> None:
        """Wait for the branches, however long."""
        hand = rig.start()
        hand.must(move(9), spawn(1), keep=False)
        branch = rig.take()

        rig.clock.advance(10**6)

        assert [] == rig.claim(rig.session())
        assert CursorKey(1, ()) == branch.key

    def test_a_fork_in_a_loop_keys_its_branches_by_turn(self, rig: Rig) -> None:
        """Give the children the turns of their parent as index."""
        hand = rig.start()

        hand.must(move(9, turns=(3,)), spawn(1, 2, turns=(3,)), keep=False)

        keys = [hand.key for hand in rig.take_all()]
        assert [CursorKey(1, (3,)), CursorKey(2, (3,))] == keys

    def test_the_last_arrival_makes_the_parent_ready(self, rig: Rig) -> None:
        """Count down one by one, write each branch's scope row, and wake the parent once."""
        hand = rig.start()
        hand.must(move(9), spawn(1, 2, 3), keep=False)
        pending: list[int] = []
        ready: list[int] = []

        for branch in rig.take_all():
            branch.must(*step(10 * branch.key.scope))
            branch.arrive(StepRef(10 * branch.key.scope))
            pending.append(rig.root(hand.instance_id).pending)
            ready.append(len(rig.claim(rig.session())))

        assert [2, 1, 0] == pending
        assert [0, 0, 1] == ready
        assert [ROOT_KEY] == list(rig.load(hand.instance_id).cursors)
        joined = rig.backend.results.branches(hand.run_id, JoinRef(1, 3))
        assert [StepRef(10), StepRef(20), StepRef(30)] == joined

    def test_who_keeps_the_last_arrival_gets_the_parent(self, rig: Rig) -> None:
        """Answer a claim on the completed join to a writer that goes on."""
        session = rig.session()
        hand = rig.start(session)
        hand.must(move(9), spawn(1, 2), keep=False)
        first, second = rig.take_all(session)

        answers = [first.arrive(keep=True), second.arrive(keep=True)]

        assert COMMITTED == answers[0]
        join = _only_claim(rig, answers[1])
        assert ROOT_KEY == join.key
        assert join.claim.cursor == join.cursor()
        assert session == join.cursor().session
        assert [] == rig.claim(rig.session())
        assert COMMITTED == join.commit(*step(9))

    def test_all_arrivals_of_one_batch_are_counted(self, rig: Rig) -> None:
        """Count two and more arrivals at one parent in one batch."""
        hand = rig.start()
        hand.must(move(9), spawn(1, 2, 3), keep=False)
        branches = rig.take_all()
        batch = [branch.next(Arrive(INPUT, ROOT_KEY), keep=False) for branch in branches]

        two = rig.backend.checkpoints.commit(batch[:2])
        pending = rig.root(hand.instance_id).pending
        last = rig.backend.checkpoints.commit(batch[2:])

        assert [COMMITTED] * 3 == [*two, *last]
        assert 1 == pending
        assert (CursorState.READY, 0) == (
            rig.root(hand.instance_id).state,
            rig.root(hand.instance_id).pending,
        )

    def test_a_whole_fork_may_arrive_in_one_batch(self, rig: Rig) -> None:
        """Make the parent ready in the batch that brings every branch, and claim it once."""
        session = rig.session()
        hand = rig.start(session)
        hand.must(move(9), spawn(*range(1, 9)), keep=False)
        branches = rig.take_all(session)
        batch: list[Checkpoint] = []
        for branch in branches:
            batch.append(branch.next(*step(10 * branch.key.scope)))
            batch.append(branch.next(Arrive(StepRef(1), ROOT_KEY)))

        answers = rig.backend.checkpoints.commit(batch)

        assert [COMMITTED] * 15 == answers[:-1]
        assert ROOT_KEY == _only_claim(rig, answers[-1]).key
        assert 8 == len(rig.history(hand.run_id))

    def test_children_of_an_owned_run_are_born_claimed(self, rig: Rig) -> None:
        """Answer a claim per child to the owner, and the join's at the last arrival."""
        session = rig.session()
        hand = rig.start_owned(session)

        answer = hand.must(move(9), spawn(1, 2), keep=False)

        assert [CursorKey(1, ()), CursorKey(2, ())] == [it.lease.key for it in answer.claims]
        assert [] == rig.claim(rig.session())
        first, second = (Hand(rig.backend, claim) for claim in answer.claims)
        assert first.claim.cursor == first.cursor()
        assert COMMITTED == first.arrive()
        join = _only_claim(rig, second.arrive())
        assert (ROOT_KEY, session) == (join.key, join.lease.session)
        assert COMMITTED == join.commit(*step(9))

    @pytest.mark.parametrize("request_", ["pause", "cancel"])
    def test_children_of_a_held_run_are_born_held(self, rig: Rig, request_: str) -> None:
        """Let a fork that races a pause or a cancel start nothing, owned or not."""
        for hand in (rig.start(), rig.start_owned()):
            getattr(rig.backend.control, request_)(hand.instance_id, reason=None, by=None)

            answer = hand.commit(succeeded(0), move(9), spawn(1, 2))

            assert HELD == answer
            cursors = rig.load(hand.instance_id).cursors.values()
            assert [(True, None)] * 3 == [(it.held, it.session) for it in cursors]
        assert [] == rig.claim(rig.session())

    def test_a_join_that_completes_under_a_hold_is_not_claimed(self, rig: Rig) -> None:
        """Make the parent ready but held; an unpause makes it claimable."""
        hand = rig.start()
        hand.must(move(9), spawn(1), keep=False)
        branch = rig.take()
        rig.backend.control.pause(hand.instance_id, reason=None, by=None)

        answer = branch.arrive(keep=True)

        assert isinstance(answer, Committed)
        assert () == answer.claims
        parent = rig.root(hand.instance_id)
        assert (CursorState.READY, True, None) == (parent.state, parent.held, parent.session)
        rig.backend.control.unpause(hand.instance_id)
        assert ROOT_KEY == rig.take().key

    def test_a_failing_branch_holds_its_siblings(self, rig: Rig) -> None:
        """Hold what is queued at once, and what runs at its next commit."""
        hand = rig.start()
        hand.must(move(9), spawn(1, 2, 3), keep=False)
        session = rig.session()
        first, second = (rig.take(session), rig.take(session))

        failing = first.commit(*give_up(10))
        running = second.commit(*step(20))

        assert [HELD, HELD] == [failing, running]
        head = rig.load(hand.instance_id)
        assert InstanceState.FAILED is head.header.state
        assert [(True, None)] * 4 == [(it.held, it.session) for it in head.cursors.values()]
        assert 2 == len(rig.history(hand.run_id))
        assert [] == rig.claim(rig.session())

    def test_the_first_recorded_failure_is_the_runs(self, rig: Rig) -> None:
        """Keep the error, the instant and the state of the first of two failures."""
        hand = rig.start()
        hand.must(move(9), spawn(1, 2), keep=False)
        first, second = rig.take_all()
        later = ErrorRecord(path="other", type="KeyError", message="later")

        first.commit(*give_up(10))
        rig.clock.advance(1)
        answer = second.commit(*give_up(20, error=later))

        assert HELD == answer
        header = rig.load(hand.instance_id).header
        assert ERROR == header.error
        assert rig.clock.now() != header.finished_at
        assert [ERROR, later] == [row.record.error for row in rig.history(hand.run_id)]

    def test_a_failure_does_not_undo_a_cancel(self, rig: Rig) -> None:
        """Stay cancelled, but turn a pause into the failure."""
        cancelled, paused = rig.start(), rig.start()
        rig.backend.control.cancel(cancelled.instance_id, reason="why", by=None)
        rig.backend.control.pause(paused.instance_id, reason=None, by=None)

        answers = [hand.commit(*give_up()) for hand in (cancelled, paused)]

        assert [HELD, HELD] == answers
        headers = [rig.load(hand.instance_id).header for hand in (cancelled, paused)]
        assert [(InstanceState.CANCELLED, None), (InstanceState.FAILED, ERROR)] == [
            (header.state, header.error) for header in headers
        ]


def _only_claim(rig: Rig, answer: object) -> Hand:
    assert isinstance(answer, Committed), answer
    (claim,) = answer.claims
    return Hand(rig.backend, claim)
