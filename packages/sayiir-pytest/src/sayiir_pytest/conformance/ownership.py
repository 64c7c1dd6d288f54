"""What a store of ownerships must do: give whole instances to runners."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sayiir_core.errors import BackendError, InstanceNotFoundError
from sayiir_core.ids import InstanceId
from sayiir_core.ports.ownership import Busy, Owned
from sayiir_core.snapshot.answer import COMMITTED, Lost
from sayiir_core.snapshot.effect import Retry, Sleep
from sayiir_core.snapshot.head import CursorKey
from sayiir_core.snapshot.reference import INPUT
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.instance_select import make_states
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.run_keys import OwnedRunCases
from sayiir_pytest.conformance.sample import NOBODY, failed, move, spawn, step
from sayiir_pytest.conformance.suite import Conformance


class GrantCases(Conformance):
    """Test who may own an instance."""

    def test_owning_hides_a_run_from_the_pools(self, rig: Rig) -> None:
        """Answer the head with its owner, and give none of its cursors to a pool."""
        new = rig.new()
        rig.create(new)
        session = rig.session()

        answer = rig.backend.ownership.own(session, new.instance_id)

        assert isinstance(answer, Owned)
        stored = rig.load(new.instance_id)
        assert session == stored.header.owner
        assert (stored.header, stored.cursors) == (answer.head.header, answer.head.cursors)
        assert [] == rig.claim(rig.session())

    def test_of_two_sessions_one_owns_and_the_other_learns_who(self, rig: Rig) -> None:
        """Answer ``Busy`` with the view of the holder, and change nothing."""
        new = rig.new()
        rig.create(new)
        first, second = rig.session(worker="the holder"), rig.session()
        rig.own(first, new.instance_id)

        answer = rig.backend.ownership.own(second, new.instance_id)

        assert isinstance(answer, Busy)
        assert (first, "the holder", True) == (
            answer.holder.session_id,
            answer.holder.worker_id,
            answer.holder.alive,
        )
        assert first == answer.head.header.owner
        assert first == rig.load(new.instance_id).header.owner

    def test_an_owner_may_ask_again(self, rig: Rig) -> None:
        """Answer ``Owned`` to the owner, also while it holds cursors."""
        session = rig.session()
        hand = rig.start_owned(session)

        answer = rig.backend.ownership.own(session, hand.instance_id)

        assert isinstance(answer, Owned)
        assert COMMITTED == hand.commit(*step())

    def test_a_run_of_which_a_pool_holds_a_cursor_is_busy(self, rig: Rig) -> None:
        """Name the pool's session; grant the ownership once it let go."""
        hand = rig.start()
        runner = rig.session()

        busy = rig.backend.ownership.own(runner, hand.instance_id)
        hand.must(*step(), keep=False)
        free = rig.backend.ownership.own(runner, hand.instance_id)

        assert isinstance(busy, Busy)
        assert hand.lease.session == busy.holder.session_id
        assert isinstance(free, Owned)

    def test_a_session_may_own_what_it_holds_a_cursor_of_itself(self, rig: Rig) -> None:
        """Grant an ownership beside one's own claim."""
        session = rig.session()
        hand = rig.start(session)

        assert isinstance(rig.backend.ownership.own(session, hand.instance_id), Owned)
        assert COMMITTED == hand.commit(*step())

    def test_owning_an_unknown_instance_is_an_error(self, rig: Rig) -> None:
        """Raise ``InstanceNotFoundError``."""
        with pytest.raises(InstanceNotFoundError):
            rig.backend.ownership.own(rig.session(), InstanceId("no-such-instance"))

    def test_an_ended_session_owns_nothing(self, rig: Rig) -> None:
        """Refuse with ``BackendError`` and leave the run to the pools."""
        rig.create(rig.new())
        hand = rig.take()
        rig.backend.claims.release([hand.lease])
        ended = rig.session()
        rig.backend.sessions.end(ended)

        for session in (ended, NOBODY):
            with pytest.raises(BackendError):
                rig.backend.ownership.own(session, hand.instance_id)

        assert rig.load(hand.instance_id).header.owner is None
        assert 1 == len(rig.claim(rig.session()))

    def test_a_run_in_any_state_can_be_owned(self, rig: Rig) -> None:
        """Let a runner look after a paused or a final run too."""
        session = rig.session()

        for instance_id in make_states(rig).values():
            assert isinstance(rig.backend.ownership.own(session, instance_id), Owned)


class OwnedClaimCases(Conformance):
    """Test how an owner takes and leaves its cursors."""

    def test_an_owner_claims_what_is_due(self, rig: Rig) -> None:
        """Give the cursor under a new fence, with the number of the call."""
        new = rig.new(value=b"the input", trace_parent="00-1-2-01")
        rig.create(new)
        session = rig.session()
        rig.own(session, new.instance_id)

        (claim,) = rig.backend.ownership.claim_owned(session, 55, rig.run(new.instance_id), 10)

        assert (session, 1, CursorKey(0, ())) == (
            claim.lease.session,
            claim.lease.fence,
            claim.lease.key,
        )
        assert (55, "00-1-2-01", {INPUT: b"the input"}) == (
            claim.cursor.claim_no,
            claim.trace_parent,
            claim.inputs,
        )
        assert rig.root(new.instance_id) == claim.cursor
        assert [] == rig.claim_owned(session, new.instance_id)
        assert COMMITTED == Hand(rig.backend, claim).commit(*step())

    def test_an_owner_takes_any_group(self, rig: Rig) -> None:
        """Look at no lane."""
        new = rig.new(group="gpu")
        rig.create(new)
        session = rig.session()
        rig.own(session, new.instance_id)

        assert 1 == len(rig.claim_owned(session, new.instance_id))

    def test_an_owner_claims_the_longest_due_first_up_to_the_limit(self, rig: Rig) -> None:
        """Order by the due time, and honour the limit."""
        session = rig.session()
        root = rig.start_owned(session)
        answer = root.must(move(9), spawn(1, 2, 3), keep=False)
        branches = [Hand(rig.backend, claim) for claim in answer.claims]
        for branch, seconds in zip(branches, (30, 10, 20), strict=True):
            at = rig.clock.now() + timedelta(seconds=seconds)
            branch.must(failed(branch.key.scope), Retry(at))
        rig.clock.advance(60)

        first = rig.claim_owned(session, root.instance_id, limit=2)
        rest = rig.claim_owned(session, root.instance_id, limit=2)

        assert [2, 3] == [hand.key.scope for hand in first]
        assert [1] == [hand.key.scope for hand in rest]

    def test_an_owner_gets_nothing_that_is_not_due_or_held(self, rig: Rig) -> None:
        """Give neither a sleeper before its instant nor a paused cursor."""
        session = rig.session()
        sleeping, paused = rig.start_owned(session), rig.start_owned(session)
        sleeping.must(move(1), Sleep(rig.clock.now() + timedelta(seconds=1)))
        rig.backend.control.pause(paused.instance_id, reason=None, by=None)
        paused.must(*step())

        assert [] == rig.claim_owned(session, sleeping.instance_id)
        assert [] == rig.claim_owned(session, paused.instance_id)
        rig.clock.advance(1)
        assert 1 == len(rig.claim_owned(session, sleeping.instance_id))

    def test_who_is_no_owner_claims_nothing(self, rig: Rig) -> None:
        """Answer an empty list for a free run, another's run and an unknown one."""
        session, owner = rig.session(), rig.session()
        free = rig.create(rig.new()).head.header.instance_id
        owned = rig.create(rig.new()).head.header.instance_id
        rig.own(owner, owned)

        assert [] == rig.claim_owned(session, free)
        assert [] == rig.claim_owned(session, owned)
        assert 1 == len(rig.claim(rig.session()))

    def test_an_owners_claim_call_can_be_given_back_by_its_number(self, rig: Rig) -> None:
        """Release to the owner, not to the pools."""
        session = rig.session()
        instance_id = rig.create(rig.new()).head.header.instance_id
        rig.own(session, instance_id)
        rig.backend.ownership.claim_owned(session, 9, rig.run(instance_id), 10)

        rig.backend.claims.release_claim(session, 9)

        assert [] == rig.claim(rig.session())
        assert 1 == len(rig.claim_owned(session, instance_id))

    def test_disowning_gives_everything_to_the_pools(self, rig: Rig) -> None:
        """End the ownership, release every cursor uncounted, and lose the old leases."""
        session = rig.session()
        root = rig.start_owned(session)
        answer = root.must(move(9), spawn(1, 2), keep=False)
        branches = [Hand(rig.backend, claim) for claim in answer.claims]

        for _ in range(2):
            rig.backend.ownership.disown(session, root.run)

        assert rig.load(root.instance_id).header.owner is None
        assert [Lost, Lost] == [type(branch.commit(*step(10))) for branch in branches]
        taken = rig.take_all()
        assert [1, 2] == [hand.key.scope for hand in taken]
        assert [(), ()] == [hand.claim.cursor.deaths for hand in taken]

    def test_only_the_owner_can_disown(self, rig: Rig) -> None:
        """Change nothing for another session, and release none of its pool claims."""
        owner, other = rig.session(), rig.session()
        owned, pooled = rig.start_owned(owner), rig.start(other)

        rig.backend.ownership.disown(other, owned.run)
        rig.backend.ownership.disown(other, pooled.run)

        assert owner == rig.load(owned.instance_id).header.owner
        assert COMMITTED == owned.commit(*step())
        assert COMMITTED == pooled.commit(*step())


class OwnershipConformance(GrantCases, OwnedClaimCases, OwnedRunCases):
    """Test an ``OwnershipStore``."""
