"""What replacing and pruning runs must do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sayiir_core.errors import InstanceNotFoundError
from sayiir_core.ids import InstanceId
from sayiir_core.ports.instances import Created, InstanceQuery
from sayiir_core.snapshot.answer import Lost, LostReason
from sayiir_core.snapshot.effect import AwaitSignal, Bind, Finish
from sayiir_core.snapshot.head import CursorKey, CursorState, InstanceState
from sayiir_core.snapshot.reference import INPUT, SignalRef, StepRef
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.instance_select import end_run, make_states
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import give_up, move, spawn, step, succeeded
from sayiir_pytest.conformance.suite import Conformance


class ReplaceCases(Conformance):
    """Test what a creation with ``replace`` does."""

    def test_replacing_starts_a_new_run_under_the_old_id(self, rig: Rig) -> None:
        """Answer and store a fresh head: no step, no request, no error of the old run."""
        old = rig.start()
        old.must(*step(0))
        old.must(*give_up(1))
        rig.clock.advance(5)

        new = rig.new(old.instance_id, value=b"again", replace=True)
        answer = rig.try_create(new)

        assert isinstance(answer, Created)
        head = rig.load(old.instance_id)
        assert (new.run_id, InstanceState.RUNNING, None, rig.clock.now()) == (
            head.header.run_id,
            head.header.state,
            head.header.error,
            head.header.created_at,
        )
        assert [CursorKey(0, ())] == list(head.cursors)
        assert (0, False, 0) == (
            head.cursors[CursorKey(0, ())].node,
            head.cursors[CursorKey(0, ())].held,
            head.cursors[CursorKey(0, ())].seq,
        )
        assert [] == rig.history(new.run_id)
        assert [b"again"] == rig.payloads(rig.take(), INPUT)

    def test_replacing_needs_no_run_to_replace(self, rig: Rig) -> None:
        """Create as usual if the id is free."""
        assert isinstance(rig.try_create(rig.new(replace=True)), Created)

    @pytest.mark.parametrize("state", list(InstanceState))
    def test_a_run_in_any_state_can_be_replaced(self, rig: Rig, state: InstanceState) -> None:
        """Replace a running, a paused and a final run alike."""
        instance_id = make_states(rig)[state]

        rig.create(rig.new(instance_id, replace=True))

        assert InstanceState.RUNNING is rig.load(instance_id).header.state
        assert rig.load(instance_id).header.reason is None

    def test_a_late_commit_of_a_replaced_run_is_lost(self, rig: Rig) -> None:
        """Change nothing of the new run by a guard of the old one, even of a fork's branches."""
        old = rig.start()
        old.must(succeeded(0), move(9), spawn(1, 2), keep=False)
        branches = rig.take_all()
        new = rig.new(old.instance_id, replace=True)
        rig.create(new)
        before = rig.load(old.instance_id)

        answers = [branch.commit(*step(10)) for branch in branches]
        late = old.commit(*step(9))

        assert [Lost(LostReason.REPLACED)] * 3 == [*answers, late]
        assert before == rig.load(old.instance_id)
        assert [] == rig.history(new.run_id)

    def test_replacing_drops_the_pending_signals(self, rig: Rig) -> None:
        """Let no signal for the old run reach the new one; the inbox goes on counting."""
        old = rig.start()
        first = rig.backend.signals.send(old.instance_id, "go", b"old")

        rig.create(rig.new(old.instance_id, replace=True))
        second = rig.backend.signals.send(old.instance_id, "go", b"new")

        assert second > first
        assert [second] == [it.seq for it in rig.backend.signals.pending(old.instance_id)]

    def test_a_replaced_wait_receives_no_signal(self, rig: Rig) -> None:
        """Keep a signal in the inbox although the old run awaited it."""
        old = rig.start()
        old.must(move(1), AwaitSignal("go", None))
        rig.create(rig.new(old.instance_id, replace=True))

        rig.backend.signals.send(old.instance_id, "go", b"new")

        assert CursorState.READY is rig.root(old.instance_id).state
        assert 1 == len(rig.backend.signals.pending(old.instance_id))

    def test_replacing_ends_an_ownership(self, rig: Rig) -> None:
        """Give the new run to the pools, or to its own new owner."""
        owner, heir = rig.session(), rig.session()
        old = rig.start_owned(owner)

        rig.create(rig.new(old.instance_id, replace=True))
        pooled = rig.take()
        created = rig.create(rig.new(old.instance_id, replace=True, owner=heir))

        assert old.instance_id == pooled.instance_id
        assert created.claim is not None
        assert heir == rig.load(old.instance_id).header.owner
        assert [] == rig.claim_owned(owner, old.instance_id)

    def test_a_listing_shows_only_the_new_run(self, rig: Rig) -> None:
        """List an id once."""
        old = rig.start()
        new = rig.new(old.instance_id, replace=True)
        rig.create(new)

        page = rig.backend.instances.select(InstanceQuery(workflow_id=rig.definition.workflow_id))

        assert [new.run_id] == [header.run_id for header in page.headers]


class PruneCases(Conformance):
    """Test ``InstanceStore.prune``."""

    def test_pruning_removes_final_runs_only(self, rig: Rig) -> None:
        """Remove completed, failed and cancelled runs; keep running and paused ones."""
        states = make_states(rig)
        rig.clock.advance(1)

        prune_all(rig)

        kept = {state for state, instance_id in states.items() if exists(rig, instance_id)}
        assert {InstanceState.RUNNING, InstanceState.PAUSED} == kept

    def test_pruning_spares_what_ended_at_the_instant_or_later(self, rig: Rig) -> None:
        """Remove strictly by the instant of the end, not of the creation."""
        late = rig.start()
        early = end_run(rig)
        boundary = rig.clock.advance(timedelta(microseconds=1))
        late.must(Finish(INPUT))

        prune_all(rig)

        assert boundary == rig.load(late.instance_id).header.finished_at
        assert (False, True) == (exists(rig, early), exists(rig, late.instance_id))

    def test_pruning_takes_at_most_the_limit_and_says_how_many(self, rig: Rig) -> None:
        """Count what was removed, and go on at the next call."""
        prune_all(rig)
        ended = [end_run(rig) for _ in range(5)]
        cutoff = rig.clock.advance(1)

        counts = [rig.backend.instances.prune(finished_before=cutoff, limit=2) for _ in range(4)]

        assert [2, 2, 1, 0] == counts
        assert not any(exists(rig, instance_id) for instance_id in ended)

    def test_pruning_spares_a_run_that_a_session_still_holds(self, rig: Rig) -> None:
        """Wait for the body that runs on in a cancelled run."""
        hand = rig.start()
        rig.backend.control.cancel(hand.instance_id, reason=None, by=None)
        rig.clock.advance(1)

        prune_all(rig)
        spared = exists(rig, hand.instance_id)
        hand.must(*step())
        prune_all(rig)

        assert spared
        assert not exists(rig, hand.instance_id)

    def test_pruning_removes_all_that_belongs_to_the_run(self, rig: Rig) -> None:
        """Remove steps, scopes, the input, and signals, consumed ones as well as pending ones."""
        hand, consumed = run_with_everything(rig)
        rig.clock.advance(1)

        prune_all(rig)

        results = rig.backend.results
        leaves = (INPUT, StepRef(0), SignalRef(consumed))
        assert [None, None, None] == rig.payloads(hand, *leaves)
        assert [] == rig.history(hand.run_id)
        assert results.step(hand.run_id, 0, ()) is None
        assert results.last_turn(hand.run_id, 0, ()) is None
        assert results.scope(hand.run_id, 5, ()) is None
        assert [] == rig.backend.signals.pending(hand.instance_id)

    def test_pruning_leaves_other_runs_whole(self, rig: Rig) -> None:
        """Remove no row of a run that stays."""
        end_run(rig)
        hand, consumed = run_with_everything(rig, finish=False)
        rig.clock.advance(1)

        prune_all(rig)

        leaves = (INPUT, StepRef(0), SignalRef(consumed))
        assert [b"in", b"out", b"payload"] == rig.payloads(hand, *leaves)
        assert 1 == len(rig.backend.signals.pending(hand.instance_id))

    def test_a_late_write_of_a_removed_run_changes_nothing(self, rig: Rig) -> None:
        """Answer ``Lost`` to it, and leave no row behind."""
        hand = rig.start()
        stale = hand.checkpoint(*step())
        hand.must(Finish(INPUT))
        rig.clock.advance(1)
        prune_all(rig)

        answer = hand.send(stale)

        assert isinstance(answer, Lost)
        assert [] == rig.history(hand.run_id)
        assert not exists(rig, hand.instance_id)

    def test_a_removed_id_is_free_again(self, rig: Rig) -> None:
        """Create a new run under the id of a removed one."""
        instance_id = end_run(rig)
        rig.clock.advance(1)
        prune_all(rig)

        created = rig.try_create(rig.new(instance_id))

        assert isinstance(created, Created)


def prune_all(rig: Rig) -> None:
    """Prune whatever ended before now."""
    while rig.backend.instances.prune(finished_before=rig.clock.now(), limit=100):
        pass


def exists(rig: Rig, instance_id: InstanceId) -> bool:
    """Tell whether an instance can be loaded."""
    try:
        rig.load(instance_id)
    except InstanceNotFoundError:
        return False
    return True


def run_with_everything(rig: Rig, *, finish: bool = True) -> tuple[Hand, int]:
    """Make a run with a row of every kind; return its hand and the signal that it consumed."""
    hand = rig.start()
    consumed = rig.backend.signals.send(hand.instance_id, "go", b"payload")
    rig.backend.signals.send(hand.instance_id, "more", b"pending")
    hand.must(*step(0))
    hand.must(Bind(5, (), StepRef(0)), move(2), AwaitSignal("go", None))
    hand = rig.take()
    hand.must(succeeded(2, source=SignalRef(consumed)), move(3))
    if finish:
        hand.must(Finish(StepRef(0)))
    return hand, consumed
