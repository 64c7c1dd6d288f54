"""How claims are given back."""

from __future__ import annotations

from sayiir_core.snapshot.answer import COMMITTED
from sayiir_pytest.conformance.claim_order import ids
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import NOBODY, step
from sayiir_pytest.conformance.suite import Conformance


class ReleaseCases(Conformance):
    """Test how claims are given back."""

    def test_a_claim_call_is_given_back_by_its_number(self, rig: Rig) -> None:
        """Release what one call claimed, and nothing of another call or session."""
        session, other = rig.session(), rig.session()
        rig.backend.instances.create([rig.new() for _ in range(4)])
        unclear = rig.claim(session, limit=2, claim_no=1)
        rig.claim(session, limit=1, claim_no=2)
        rig.claim(other, limit=1, claim_no=1)

        rig.backend.claims.release_claim(session, 1)
        rig.backend.claims.release_claim(session, 1)

        assert sorted(ids(unclear)) == sorted(ids(rig.claim(rig.session())))

    def test_giving_back_a_claim_call_spares_what_is_no_longer_held(self, rig: Rig) -> None:
        """Take a cursor from nobody who claimed it since."""
        session, other = rig.session(), rig.session()
        rig.create(rig.new())
        (claim,) = rig.claim(session, claim_no=1)
        rig.backend.claims.release([claim.lease])
        hand = rig.take(other)

        rig.backend.claims.release_claim(session, 1)

        assert COMMITTED == hand.commit(*step())

    def test_an_unknown_claim_call_is_given_back_without_an_error(self, rig: Rig) -> None:
        """Accept a number that never reached the store."""
        hand = rig.start()

        rig.backend.claims.release_claim(hand.lease.session, 12345)
        rig.backend.claims.release_claim(NOBODY, 1)

        assert COMMITTED == hand.commit(*step())

    def test_a_released_cursor_is_claimable_at_once_and_uncounted(self, rig: Rig) -> None:
        """Charge no attempt and no death, and keep its place in the queue."""
        hand = rig.start()
        before = hand.claim.cursor
        rig.clock.advance(5)

        rig.backend.claims.release([hand.lease])

        after = rig.take().claim.cursor
        assert (before.available_at, before.attempt, before.seq, (), before.fence + 1) == (
            after.available_at,
            after.attempt,
            after.seq,
            after.deaths,
            after.fence,
        )

    def test_leases_no_longer_held_are_skipped(self, rig: Rig) -> None:
        """Release the others of the list, and repeat without an error."""
        old, held = rig.start(), rig.start()
        rig.backend.claims.release([old.lease])
        new = rig.take()

        for _ in range(2):
            rig.backend.claims.release([old.lease, held.lease])

        assert COMMITTED == new.commit(*step())
        assert [held.instance_id] == ids(rig.claim(rig.session()))

    def test_a_lease_of_another_session_releases_nothing(self, rig: Rig) -> None:
        """Look at the session and the run of a lease, not only at its fence."""
        hand = rig.start()
        forged = hand.under(session=rig.session())

        rig.backend.claims.release([forged.lease])

        assert COMMITTED == hand.commit(*step())

    def test_releasing_nothing_is_no_error(self, rig: Rig) -> None:
        """Accept an empty list."""
        rig.backend.claims.release([])

    def test_a_cursor_that_the_owner_releases_stays_with_its_run(self, rig: Rig) -> None:
        """Leave an owned run's cursor to its owner."""
        owner = rig.session()
        hand = rig.start_owned(owner)

        rig.backend.claims.release([hand.lease])

        assert [] == rig.claim(rig.session())
        (again,) = rig.claim_owned(owner, hand.instance_id)
        assert COMMITTED == again.commit(*step())
