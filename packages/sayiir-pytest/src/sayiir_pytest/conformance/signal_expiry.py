"""What becomes of signals that nothing will ever consume."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sayiir_core.errors import RefusedRowError
from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.effect import AwaitSignal, Finish
from sayiir_core.snapshot.head import InstanceState
from sayiir_core.snapshot.reference import INPUT, SignalRef
from sayiir_pytest.conformance.instance_select import make_states
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import move, succeeded
from sayiir_pytest.conformance.suite import Conformance, require_durable

ENDED_FOR_GOOD = frozenset({InstanceState.COMPLETED, InstanceState.CANCELLED})
"""The states from which no operation leads back; a failed run can be retried."""


class ExpiryCases(Conformance):
    """Test ``SignalStore.expire``."""

    def test_signals_to_an_id_that_was_never_used_expire(self, rig: Rig) -> None:
        """Remove them with their payloads, and say how many."""
        instance_id = InstanceId(rig.name())
        for name in "aab":
            rig.backend.signals.send(instance_id, name, b"payload")

        removed = expire_all(rig)

        assert 3 == removed
        assert [] == rig.backend.signals.pending(instance_id)
        hand = rig.start(instance_id=instance_id)
        assert [None] == rig.payloads(hand, SignalRef(1))

    @pytest.mark.parametrize("state", list(InstanceState))
    def test_signals_expire_only_where_nothing_will_consume_them(
        self, rig: Rig, state: InstanceState
    ) -> None:
        """Remove those of a completed or cancelled run, keep those of one that may go on."""
        instance_id = make_states(rig)[state]
        seq = rig.backend.signals.send(instance_id, "go", b"")

        removed = expire_all(rig)

        expired = state in ENDED_FOR_GOOD
        assert int(expired) == removed
        kept = [it.seq for it in rig.backend.signals.pending(instance_id)]
        assert ([] if expired else [seq]) == kept

    def test_a_signal_expires_strictly_by_the_instant_of_its_arrival(self, rig: Rig) -> None:
        """Keep what was received at the instant that is given, or later."""
        instance_id = InstanceId(rig.name())
        seqs = [rig.backend.signals.send(instance_id, "go", b"")]
        rig.clock.advance(timedelta(microseconds=1))
        boundary = rig.clock.now()
        seqs.append(rig.backend.signals.send(instance_id, "go", b""))

        removed = rig.backend.signals.expire(received_before=boundary, limit=10)

        assert 1 == removed
        assert seqs[1:] == [it.seq for it in rig.backend.signals.pending(instance_id)]

    def test_a_call_removes_at_most_the_limit_and_says_how_many(self, rig: Rig) -> None:
        """Go on at the next call, within one inbox and over several."""
        ids = [InstanceId(rig.name()) for _ in range(3)]
        for instance_id in ids:
            rig.backend.signals.send(instance_id, "go", b"")
            rig.backend.signals.send(instance_id, "go", b"")
        before = rig.clock.advance(1)

        counts = [
            rig.backend.signals.expire(received_before=before, limit=limit)
            for limit in (0, 1, 3, 3, 3)
        ]

        assert [0, 1, 3, 2, 0] == counts
        assert not any(rig.backend.signals.pending(it) for it in ids)

    def test_the_numbering_of_an_inbox_goes_on(self, rig: Rig) -> None:
        """Never use the number of an expired signal again."""
        instance_id = InstanceId(rig.name())
        last = [rig.backend.signals.send(instance_id, "go", b"old") for _ in range(2)][-1]

        expire_all(rig)
        following = rig.backend.signals.send(instance_id, "go", b"new")
        hand = rig.start(instance_id=instance_id)
        hand.must(move(1), AwaitSignal("go", None))

        assert following > last
        assert following == hand.cursor().delivered
        assert [b"new"] == rig.payloads(hand, SignalRef(following))

    def test_the_numbering_goes_on_in_another_process_too(self, rig: Rig) -> None:
        """Remember the last number without any signal that bears it."""
        require_durable(rig.backend.capabilities)
        instance_id = InstanceId(rig.name())
        last = rig.backend.signals.send(instance_id, "go", b"old")
        expire_all(rig)

        rig.reopen()

        assert rig.backend.signals.send(instance_id, "go", b"new") > last

    def test_a_consumed_signal_never_expires(self, rig: Rig) -> None:
        """Keep the payload that a step of a completed run refers to."""
        hand = rig.start()
        consumed = rig.backend.signals.send(hand.instance_id, "go", b"payload")
        hand.must(move(1), AwaitSignal("go", None))
        hand = rig.take()
        hand.must(succeeded(1, source=SignalRef(consumed)), Finish(INPUT))

        removed = expire_all(rig)

        assert 0 == removed
        assert [b"payload"] == rig.payloads(hand, SignalRef(consumed))

    def test_a_signal_that_the_store_cannot_hold_is_an_error(self, rig: Rig) -> None:
        """Raise ``RefusedRowError`` and keep nothing; the next one is kept as usual."""
        large = rig.too_large()
        instance_id = InstanceId(rig.name())

        with pytest.raises(RefusedRowError):
            rig.backend.signals.send(instance_id, "go", large)

        assert [] == rig.backend.signals.pending(instance_id)
        seq = rig.backend.signals.send(instance_id, "go", b"small")
        assert [seq] == [it.seq for it in rig.backend.signals.pending(instance_id)]


def expire_all(rig: Rig) -> int:
    """Let everything that was received until now expire, and return how many were removed."""
    return rig.backend.signals.expire(received_before=rig.clock.advance(1), limit=1000)
