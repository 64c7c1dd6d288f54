"""What a batch of checkpoints means."""

from __future__ import annotations

from sayiir_core.snapshot.answer import COMMITTED, Lost, LostReason
from sayiir_core.snapshot.reference import StepRef
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import move, spawn, step, succeeded
from sayiir_pytest.conformance.suite import Conformance, require_durable


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
