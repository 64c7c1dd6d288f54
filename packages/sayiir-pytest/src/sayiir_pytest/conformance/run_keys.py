"""That a call which names a run never touches a later run of the same id."""

from __future__ import annotations

from uuid import uuid4

from sayiir_core.ids import InstanceId, RunId, RunKey
from sayiir_core.snapshot.answer import COMMITTED
from sayiir_core.snapshot.head import CursorKey
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import step
from sayiir_pytest.conformance.suite import Conformance


class OwnedRunCases(Conformance):
    """Test the run keys of an ``OwnershipStore``."""

    def test_disowning_an_earlier_run_leaves_the_later_one_alone(self, rig: Rig) -> None:
        """Keep the ownership of the later run, and what is held of it."""
        old, new = replaced(rig)

        rig.backend.ownership.disown(new.lease.session, old.run)

        assert new.lease.session == rig.load(new.instance_id).header.owner
        assert [] == rig.claim(rig.session())
        assert COMMITTED == new.commit(*step())

    def test_nothing_is_claimed_of_an_earlier_run(self, rig: Rig) -> None:
        """Answer an empty list although a cursor of the later run is due for its owner."""
        old, new = replaced(rig)
        rig.backend.claims.release([new.lease])
        session = new.lease.session

        claims = rig.backend.ownership.claim_owned(session, rig.claim_no(), old.run, 10)

        assert [] == claims
        assert [new.run_id] == [it.run_id for it in rig.claim_owned(session, new.instance_id)]

    def test_a_run_that_does_not_exist_is_passed_over(self, rig: Rig) -> None:
        """Raise nothing and change nothing for an unknown run or an unknown instance."""
        hand = rig.start_owned()
        session, ownership = hand.lease.session, rig.backend.ownership
        unknown = [
            RunKey(hand.instance_id, RunId(str(uuid4()))),
            RunKey(InstanceId(rig.name()), hand.run_id),
        ]

        for run in unknown:
            ownership.disown(session, run)
            assert [] == ownership.claim_owned(session, rig.claim_no(), run, 10)

        assert session == rig.load(hand.instance_id).header.owner
        assert COMMITTED == hand.commit(*step())


class ReconciledRunCases(Conformance):
    """Test the run keys of ``SessionStore.reconcile``."""

    def test_reconciling_an_earlier_run_leaves_the_later_one_alone(self, rig: Rig) -> None:
        """Give back nothing of the later run, although no lease of it is listed."""
        old, new = replaced(rig)

        rig.backend.sessions.reconcile(new.lease.session, [], old.run)

        assert new.lease.session == new.cursor().session
        assert COMMITTED == new.commit(*step())

    def test_reconciling_the_later_run_gives_it_back(self, rig: Rig) -> None:
        """Keep nothing by a lease of the earlier run that has the same place and fence."""
        old, new = replaced(rig)
        assert (old.key, old.lease.fence) == (new.key, new.lease.fence)

        rig.backend.sessions.reconcile(new.lease.session, [old.lease], new.run)

        assert new.cursor().session is None
        assert [CursorKey(0, ())] == [
            it.key for it in rig.claim_owned(new.lease.session, new.instance_id)
        ]

    def test_one_run_can_be_reconciled_alone(self, rig: Rig) -> None:
        """Look at no cursor of another run that the session holds beside it."""
        session = rig.session()
        forgotten, other = rig.start(session), rig.start(session)

        rig.backend.sessions.reconcile(session, [], forgotten.run)

        assert [forgotten.instance_id] == [hand.instance_id for hand in rig.take_all()]
        assert COMMITTED == other.commit(*step())


def replaced(rig: Rig) -> tuple[Hand, Hand]:
    """Own a run and then, under the same id and session, its replacement; return both hands."""
    old = rig.start_owned()
    session = old.lease.session
    created = rig.create(rig.new(old.instance_id, replace=True, owner=session))
    assert created.claim is not None
    return old, Hand(rig.backend, created.claim)
