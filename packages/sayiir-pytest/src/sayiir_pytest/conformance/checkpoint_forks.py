"""What a checkpoint must do at forks and joins, and what a batch means."""

from __future__ import annotations

import pytest

from sayiir_core.errors import BackendError
from sayiir_core.snapshot.answer import COMMITTED, HELD, Committed, Lost, LostReason
from sayiir_core.snapshot.effect import Arrive, Checkpoint
from sayiir_core.snapshot.head import CursorKey, CursorState, InstanceState
from sayiir_core.snapshot.reference import INPUT, JoinRef, StepRef
from sayiir_core.snapshot.step import ErrorRecord
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import ERROR, give_up, move, spawn, step, succeeded
from sayiir_pytest.conformance.suite import Conformance, require_durable

ROOT_KEY = CursorKey(0, ())


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


class BatchCases(Conformance):
    """Test what a batch of checkpoints means."""

    def test_committing_nothing_is_answered_by_nothing(self, rig: Rig) -> None:
        """Accept a batch of nothing."""
        assert [] == rig.backend.checkpoints.commit([])

    def test_a_batch_may_carry_several_steps_of_one_cursor(self, rig: Rig) -> None:
        """Apply them in list order."""
        hand = rig.start()
        batch = [hand.next(*step(number)) for number in range(5)]

        answers = rig.backend.checkpoints.commit(batch)

        assert [COMMITTED] * 5 == answers
        assert 5 == hand.cursor().node
        assert list(range(5)) == [row.record.node for row in rig.history(hand.run_id)]

    def test_a_lost_guard_in_a_batch_harms_no_other(self, rig: Rig) -> None:
        """Answer each checkpoint at its own place."""
        good = [rig.start() for _ in range(3)]
        lost = good[1].under(fence=9)
        batch = [good[0].next(*step()), lost.next(*step()), good[2].next(*step())]

        answers = rig.backend.checkpoints.commit(batch)

        assert [COMMITTED, Lost(LostReason.TAKEN), COMMITTED] == answers
        assert [1, 0, 1] == [hand.cursor().node for hand in good]

    def test_a_batch_may_be_large(self, rig: Rig) -> None:
        """Commit two hundred steps of as many runs at once."""
        rig.backend.instances.create([rig.new() for _ in range(200)])
        hands = [Hand(rig.backend, claim) for claim in rig.claim(rig.session(), limit=1000)]

        answers = rig.backend.checkpoints.commit([hand.next(*step()) for hand in hands])

        assert [COMMITTED] * 200 == answers

    def test_a_payload_over_the_limit_fails_alone(self, rig: Rig) -> None:
        """Store what is good in a batch, whatever its neighbours are."""
        if self.payload_limit is None:
            pytest.skip("the store has no payload limit worth testing")
        good, bad, after = (rig.start() for _ in range(3))
        large = bytes(self.payload_limit + 1)
        batch = [good.next(*step()), bad.next(*step(output=large)), after.next(*step())]

        with pytest.raises(BackendError) as caught:
            rig.backend.checkpoints.commit(batch)

        assert not caught.value.transient
        repeated = rig.backend.checkpoints.commit([batch[0], batch[2]])
        assert all(isinstance(answer, Committed) for answer in repeated)
        assert [1, 0, 1] == [hand.cursor().node for hand in (good, bad, after)]

    def test_what_is_answered_survives_the_process(self, rig: Rig) -> None:
        """Find every committed step after the backend was closed and opened anew."""
        require_durable(rig.backend.capabilities)
        hand = rig.start()
        hand.must(*step(0, output=b"kept"))
        hand.must(succeeded(1), move(9), spawn(1, 2))
        before = rig.history(hand.run_id)

        rig.reopen()

        assert before == rig.history(hand.run_id)
        assert [b"kept"] == rig.payloads(hand, StepRef(0))
        assert 3 == len(rig.load(hand.instance_id).cursors)


def _only_claim(rig: Rig, answer: object) -> Hand:
    assert isinstance(answer, Committed), answer
    (claim,) = answer.claims
    return Hand(rig.backend, claim)
