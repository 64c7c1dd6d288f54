"""Races of commits with signals and requests."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from sayiir_core.errors import InstanceStateError
from sayiir_core.ports.instances import NewInstance
from sayiir_core.snapshot.answer import Committed, Lost
from sayiir_core.snapshot.effect import AwaitSignal, Finish, Sleep
from sayiir_core.snapshot.head import CursorState, InstanceState
from sayiir_core.snapshot.reference import INPUT, SignalRef, StepRef
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.race_claims import RaceRounds
from sayiir_pytest.conformance.race_commits import forked
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import move, spawn, step, succeeded
from sayiir_pytest.conformance.threads import both, together


class EventRaces(RaceRounds):
    """Race commits with signals and requests."""

    def test_a_signal_that_races_a_park_is_delivered(self, rig: Rig) -> None:
        """Never leave a wait and its signal side by side."""
        backends = self.backends(rig)
        session = rig.session()
        for number in self.tries(rig, 4):
            hand = rig.start(session)
            park = [hand.next(succeeded(0), move(1), AwaitSignal("go", None))]
            one = partial(backends[0].checkpoints.commit, park)
            two = partial(backends[1].signals.send, hand.instance_id, "go", b"")

            both(one, two, turn=number)

            cursor = hand.cursor()
            assert (CursorState.SIGNALLED, 1) == (cursor.state, cursor.delivered)
            assert [] == rig.backend.signals.pending(hand.instance_id)

    def test_a_signal_that_races_the_creation_is_kept_or_delivered(self, rig: Rig) -> None:
        """Lose no signal that is sent while its instance is created and parks."""
        backends = self.backends(rig)
        session = rig.session()
        for number in self.tries(rig, 2):
            new = rig.new(owner=session)

            def create_and_park(new: NewInstance = new) -> object:
                created = rig.create(new)
                assert created.claim is not None
                return Hand(rig.backend, created.claim).commit(move(1), AwaitSignal("go", None))

            one = create_and_park
            two = partial(backends[1].signals.send, new.instance_id, "go", b"")
            both(one, two, turn=number)

            assert CursorState.SIGNALLED is rig.root(new.instance_id).state
            assert [] == rig.backend.signals.pending(new.instance_id)

    def test_a_signal_that_expires_while_its_instance_is_created_is_whole_or_gone(
        self, rig: Rig
    ) -> None:
        """Deliver it with its payload, or remove it; never half of both."""
        backends = self.backends(rig)
        session = rig.session()
        for number in self.tries(rig, 2):
            new = rig.new(owner=session)
            seq = rig.backend.signals.send(new.instance_id, "go", b"payload")
            before = rig.clock.advance(1)

            def create_and_park(new: NewInstance = new) -> Hand:
                claim = rig.create(new).claim
                assert claim is not None
                hand = Hand(rig.backend, claim)
                hand.must(move(1), AwaitSignal("go", None))
                return hand

            expire = partial(backends[1].signals.expire, received_before=before, limit=10)
            hand, removed = both(create_and_park, expire, turn=number)

            gone = removed == 1
            assert (None if gone else seq) == hand.cursor().delivered
            assert [None if gone else b"payload"] == rig.payloads(hand, SignalRef(seq))
            assert [] == rig.backend.signals.pending(new.instance_id)

    def test_racing_signals_are_numbered_apart_and_delivered_once(self, rig: Rig) -> None:
        """Give each signal a number of its own, deliver one, keep the others in order."""
        backends = self.backends(rig)
        session = rig.session()
        for _ in self.tries(rig):
            hand = rig.start(session)
            hand.must(move(1), AwaitSignal("go", None))

            seqs = together(
                [partial(it.signals.send, hand.instance_id, "go", b"") for it in backends]
            )

            first, *rest = sorted(seqs)
            assert len(set(seqs)) == len(backends)
            assert first == hand.cursor().delivered
            assert rest == [it.seq for it in rig.backend.signals.pending(hand.instance_id)]

    def test_two_waits_that_race_for_one_signal_share_it_out(self, rig: Rig) -> None:
        """Deliver a buffered signal to exactly one of two parking branches."""
        backends = self.backends(rig)
        for _ in self.tries(rig):
            root, (one, two) = forked(rig, 2)
            seq = rig.backend.signals.send(root.instance_id, "go", b"")

            together(
                [
                    partial(
                        backends[number].checkpoints.commit,
                        [hand.next(move(11), AwaitSignal("go", None))],
                    )
                    for number, hand in enumerate((one, two))
                ]
            )

            delivered = [one.cursor().delivered, two.cursor().delivered]
            assert sorted([seq, 0]) == sorted(it or 0 for it in delivered)

    def test_a_cancel_that_races_a_fork_holds_the_children(self, rig: Rig) -> None:
        """Leave nothing claimable in a cancelled run."""
        backends = self.backends(rig)
        session, pool = rig.session(), rig.session()
        for number in self.tries(rig, 2):
            hand = rig.start(session)
            fork = [hand.next(move(9), spawn(1, 2, 3), keep=False)]
            one = partial(backends[0].checkpoints.commit, fork)
            two = partial(backends[1].control.cancel, hand.instance_id, reason=None, by=None)

            both(one, two, turn=number)

            cursors = rig.load(hand.instance_id).cursors
            assert 4 == len(cursors)
            assert all(cursor.held for cursor in cursors.values())
            assert [] == rig.claim(pool)

    def test_a_cancel_and_a_finish_never_both_win(self, rig: Rig) -> None:
        """End completed with an output, or cancelled without."""
        backends = self.backends(rig)
        session = rig.session()
        for number in self.tries(rig, 2):
            hand = rig.start(session)
            finish = [hand.next(succeeded(0), Finish(StepRef(0)))]

            def cancel(hand: Hand = hand) -> None:
                with suppress(InstanceStateError):
                    backends[1].control.cancel(hand.instance_id, reason=None, by=None)

            (answer,), _ = both(
                partial(backends[0].checkpoints.commit, finish), cancel, turn=number
            )

            head = rig.load(hand.instance_id)
            cancelled = head.header.state is InstanceState.CANCELLED
            assert Committed(held=cancelled) == answer
            assert (None if cancelled else StepRef(0)) == head.header.output
            assert cancelled == bool(head.cursors)

    def test_an_unpause_that_races_a_commit_loses_no_work(self, rig: Rig) -> None:
        """Leave the cursor with its holder or claimable, never in between."""
        backends = self.backends(rig)
        session = rig.session()
        for number in self.tries(rig, 2):
            hand = rig.start(session)
            rig.backend.control.pause(hand.instance_id, reason=None, by=None)
            one = partial(backends[0].checkpoints.commit, [hand.next(*step(0))])
            two = partial(backends[1].control.unpause, hand.instance_id)

            answer, _ = both(one, two, turn=number)

            cursor = hand.cursor()
            assert not cursor.held
            kept = [Committed()] == answer
            assert kept == (cursor.session == session)
            assert int(not kept) == len(rig.claim(session))

    def test_a_commit_that_races_the_end_of_its_session_is_whole_or_lost(self, rig: Rig) -> None:
        """Write all or nothing, and leave the cursor claimable."""
        backends = self.backends(rig)
        for number in self.tries(rig, 2):
            session = rig.session()
            hand = rig.start(session)
            one = partial(backends[0].checkpoints.commit, [hand.next(*step(0))])
            two = partial(backends[1].sessions.end, session)

            answers, _ = both(one, two, turn=number)

            written = isinstance(answers[0], Committed)
            assert written != isinstance(answers[0], Lost)
            assert int(written) == len(rig.history(hand.run_id)) == rig.take().claim.cursor.node

    def test_a_late_write_of_a_pruned_run_leaves_no_row(self, rig: Rig) -> None:
        """Remove all of a run while a stale holder still writes to it."""
        backends = self.backends(rig)
        session = rig.session()
        for number in self.tries(rig):
            hand = rig.start(session)
            stale = [hand.checkpoint(move(1), Sleep(rig.clock.now()))]
            hand.must(Finish(INPUT))
            cutoff = rig.clock.advance(1)
            one = partial(backends[0].checkpoints.commit, stale * 2)
            two = partial(backends[1].instances.prune, finished_before=cutoff, limit=100)

            both(one, two, turn=number)

            assert [] == rig.history(hand.run_id)
            assert [None] == rig.payloads(hand, INPUT)
