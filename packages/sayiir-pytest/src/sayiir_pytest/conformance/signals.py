"""What a store of signals must do: deliver in order, once, and in time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.answer import COMMITTED
from sayiir_core.snapshot.effect import AwaitSignal
from sayiir_core.snapshot.head import CursorKey, CursorState, InstanceState, PendingSignal
from sayiir_core.snapshot.reference import SignalRef
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.instance_select import make_states
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import give_up, move, spawn, succeeded
from sayiir_pytest.conformance.signal_expiry import ExpiryCases
from sayiir_pytest.conformance.suite import require_durable


class SignalConformance(ExpiryCases):
    """Test a ``SignalStore``."""

    def test_a_signal_may_precede_its_instance(self, rig: Rig) -> None:
        """Keep it in the inbox of the id, and deliver it at the first wait."""
        instance_id = InstanceId(rig.name())
        sent_at = rig.clock.now()
        seq = rig.backend.signals.send(instance_id, "go", b"early")
        rig.clock.advance(1)
        pending = rig.backend.signals.pending(instance_id)

        hand = rig.start(instance_id=instance_id)
        hand.must(move(1), AwaitSignal("go", None))

        assert [PendingSignal(seq=seq, name="go", received_at=sent_at)] == pending
        assert seq == rig.take().claim.cursor.delivered
        assert [] == rig.backend.signals.pending(instance_id)
        assert [b"early"] == rig.payloads(hand, SignalRef(seq))

    def test_an_unknown_id_has_an_empty_inbox(self, rig: Rig) -> None:
        """Raise nothing for an id that nobody used."""
        assert [] == rig.backend.signals.pending(InstanceId(rig.name()))

    def test_signals_are_numbered_in_the_order_of_their_arrival(self, rig: Rig) -> None:
        """Give each a greater number, and list them oldest first, whatever their names."""
        instance_id = InstanceId(rig.name())

        seqs = [rig.backend.signals.send(instance_id, name, b"") for name in "cabca"]

        pending = rig.backend.signals.pending(instance_id)
        assert sorted(set(seqs)) == seqs
        assert list(zip(seqs, "cabca", strict=True)) == [(it.seq, it.name) for it in pending]

    def test_signals_of_one_name_are_consumed_first_in_first_out(self, rig: Rig) -> None:
        """Deliver the oldest at each wait."""
        hand = rig.start()
        seqs = [rig.backend.signals.send(hand.instance_id, "go", bytes([n])) for n in range(4)]
        delivered: list[int | None] = []

        for number in range(1, 5):
            hand.must(move(number), AwaitSignal("go", None))
            hand = rig.take()
            delivered.append(hand.claim.cursor.delivered)

        assert seqs == delivered
        assert [bytes([n]) for n in range(4)] == rig.payloads(hand, *map(SignalRef, seqs))

    def test_an_inbox_belongs_to_one_instance(self, rig: Rig) -> None:
        """Deliver to no other instance that awaits the same name."""
        waiting = awaiting(rig)

        rig.backend.signals.send(rig.start().instance_id, "go", b"")

        assert CursorState.AWAITING is waiting.cursor().state

    def test_a_signal_wakes_who_waits_for_it(self, rig: Rig) -> None:
        """Deliver at once: the cursor is claimable, and the inbox stays empty."""
        hand = awaiting(rig, timedelta(seconds=10))
        rig.clock.advance(3)

        seq = rig.backend.signals.send(hand.instance_id, "go", b"payload")

        cursor = hand.cursor()
        assert (CursorState.SIGNALLED, seq, None, rig.clock.now()) == (
            cursor.state,
            cursor.delivered,
            cursor.signal,
            cursor.available_at,
        )
        assert [] == rig.backend.signals.pending(hand.instance_id)
        assert [b"payload"] == rig.payloads(hand, SignalRef(seq))
        assert COMMITTED == rig.take().commit(succeeded(1, source=SignalRef(seq)), move(2))

    def test_a_signal_of_another_name_wakes_nobody(self, rig: Rig) -> None:
        """Compare names exactly."""
        hand = awaiting(rig)

        for name in ("Go", "go ", "g", "göö"):
            rig.backend.signals.send(hand.instance_id, name, b"")

        assert CursorState.AWAITING is hand.cursor().state
        assert 4 == len(rig.backend.signals.pending(hand.instance_id))

    def test_a_second_signal_waits_for_the_next_wait(self, rig: Rig) -> None:
        """Deliver one signal per wait."""
        hand = awaiting(rig)
        first = rig.backend.signals.send(hand.instance_id, "go", b"1")
        second = rig.backend.signals.send(hand.instance_id, "go", b"2")

        woken = rig.take()
        woken.must(succeeded(1, source=SignalRef(first)), move(2), AwaitSignal("go", None))

        assert first == woken.claim.cursor.delivered
        assert second == rig.take().claim.cursor.delivered

    def test_a_signal_that_comes_at_the_deadline_comes_too_late(self, rig: Rig) -> None:
        """Deliver until the last instant before the deadline; keep what comes at it."""
        timeout = timedelta(seconds=10)
        in_time, too_late = awaiting(rig, timeout), awaiting(rig, timeout)

        rig.clock.advance(timeout - timedelta(microseconds=1))
        rig.backend.signals.send(in_time.instance_id, "go", b"")
        rig.clock.advance(timedelta(microseconds=1))
        rig.backend.signals.send(too_late.instance_id, "go", b"")

        assert CursorState.SIGNALLED is in_time.cursor().state
        assert CursorState.AWAITING is too_late.cursor().state
        assert 1 == len(rig.backend.signals.pending(too_late.instance_id))

    def test_a_deadline_that_is_being_handled_receives_no_signal(self, rig: Rig) -> None:
        """Keep the signal while a session holds the expired wait."""
        hand = awaiting(rig, timedelta(seconds=1))
        rig.clock.advance(1)
        expired = rig.take()

        rig.backend.signals.send(hand.instance_id, "go", b"")

        assert COMMITTED == expired.commit(succeeded(1, output=b"default"), move(2))
        assert 1 == len(rig.backend.signals.pending(hand.instance_id))

    def test_one_signal_wakes_one_of_two_waits(self, rig: Rig) -> None:
        """Deliver to the cursor with the lowest key, then to the next."""
        hand = rig.start()
        hand.must(move(9), spawn(1, 2), keep=False)
        for branch in reversed(rig.take_all()):
            branch.must(move(11), AwaitSignal("go", None))

        first = rig.backend.signals.send(hand.instance_id, "go", b"")
        between = rig.load(hand.instance_id).cursors
        second = rig.backend.signals.send(hand.instance_id, "go", b"")

        one, two = CursorKey(1, ()), CursorKey(2, ())
        assert (first, CursorState.AWAITING) == (between[one].delivered, between[two].state)
        assert second == rig.load(hand.instance_id).cursors[two].delivered

    def test_a_paused_wait_receives_its_signal_but_stays(self, rig: Rig) -> None:
        """Deliver during a pause; claim only after it."""
        hand = awaiting(rig, timedelta(seconds=10))
        rig.backend.control.pause(hand.instance_id, reason=None, by=None)
        rig.clock.advance(5)

        rig.backend.signals.send(hand.instance_id, "go", b"")
        rig.clock.advance(60)
        while_paused = rig.claim(rig.session())
        rig.backend.control.unpause(hand.instance_id)

        assert [] == while_paused
        assert CursorState.SIGNALLED is rig.take().claim.cursor.state

    @pytest.mark.parametrize("state", list(InstanceState))
    def test_the_state_of_an_instance_never_refuses_a_signal(
        self, rig: Rig, state: InstanceState
    ) -> None:
        """Keep a signal for a run in any state."""
        instance_id = make_states(rig)[state]

        seq = rig.backend.signals.send(instance_id, "go", b"")

        assert [seq] == [it.seq for it in rig.backend.signals.pending(instance_id)]

    def test_a_wait_that_a_failure_holds_may_receive_and_stays_held(self, rig: Rig) -> None:
        """Start nothing in a failed run by a signal; a retry goes on with it."""
        hand = rig.start()
        hand.must(move(9), spawn(1, 2), keep=False)
        waiting, failing = rig.take_all()
        waiting.must(move(11), AwaitSignal("go", None))
        failing.commit(*give_up(20))

        rig.backend.signals.send(hand.instance_id, "go", b"")
        while_failed = rig.claim(rig.session())
        rig.backend.control.retry(hand.instance_id)

        assert [] == while_failed
        states = [it.claim.cursor.state for it in rig.take_all()]
        assert [CursorState.SIGNALLED, CursorState.READY] == states

    def test_an_owned_wait_is_woken_for_its_owner(self, rig: Rig) -> None:
        """Give the woken cursor of an owned run to no pool."""
        session = rig.session()
        hand = rig.start_owned(session)
        hand.must(move(1), AwaitSignal("go", None))

        rig.backend.signals.send(hand.instance_id, "go", b"")

        assert [] == rig.claim(rig.session())
        assert 1 == len(rig.claim_owned(session, hand.instance_id))

    def test_any_payload_is_kept(self, rig: Rig) -> None:
        """Keep empty, binary and large payloads, pending and consumed."""
        hand = awaiting(rig)
        payloads = [b"", bytes(range(256)), bytes(1024 * 1024)]

        seqs = [rig.backend.signals.send(hand.instance_id, "go", it) for it in payloads]

        assert payloads == rig.payloads(hand, *map(SignalRef, seqs))

    def test_an_acknowledged_signal_survives_the_process(self, rig: Rig) -> None:
        """Find pending and consumed signals after the backend was opened anew."""
        require_durable(rig.backend.capabilities)
        hand = awaiting(rig)
        first = rig.backend.signals.send(hand.instance_id, "go", b"1")
        second = rig.backend.signals.send(hand.instance_id, "go", b"2")

        rig.reopen()
        third = rig.backend.signals.send(hand.instance_id, "go", b"3")

        assert third > second
        assert first == rig.root(hand.instance_id).delivered
        pending = rig.backend.signals.pending(hand.instance_id)
        assert [second, third] == [it.seq for it in pending]


def awaiting(rig: Rig, timeout: timedelta | None = None) -> Hand:
    """Create a run that waits for the signal ``go`` at node 1."""
    hand = rig.start()
    hand.must(succeeded(0), move(1), AwaitSignal("go", timeout))
    return hand
