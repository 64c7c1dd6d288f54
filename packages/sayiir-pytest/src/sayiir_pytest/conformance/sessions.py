"""What a store of sessions must do: keep leases, and take from the dead."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from sayiir_core.ports.ownership import Busy
from sayiir_core.snapshot.answer import COMMITTED, Lost
from sayiir_core.snapshot.effect import Start
from sayiir_pytest.conformance.rig import TTL, Rig
from sayiir_pytest.conformance.run_keys import ReconciledRunCases
from sayiir_pytest.conformance.sample import NOBODY, step
from sayiir_pytest.conformance.session_lanes import LaneCases
from sayiir_pytest.conformance.session_reap import ReapCases
from sayiir_pytest.conformance.suite import Conformance


class LeaseCases(Conformance):
    """Test the life of one session."""

    def test_a_registered_session_is_seen(self, rig: Rig) -> None:
        """Show its worker, its process, its ttl and the instant of its renewal."""
        session = rig.session(worker="wörker", ttl=timedelta(seconds=7, milliseconds=5))

        view = rig.backend.sessions.view(session)

        assert view is not None
        assert (session, "wörker", os.getpid(), timedelta(seconds=7, milliseconds=5)) == (
            view.session_id,
            view.worker_id,
            view.pid,
            view.ttl,
        )
        assert (rig.clock.now(), True) == (view.renewed_at, view.alive)
        assert view.host

    def test_a_process_that_exists_is_proved_alive(self, rig: Rig) -> None:
        """Prove it to whoever looks, also to who is told that an instance is busy."""
        if not self.proves_death:
            pytest.skip("the store does not prove whether a process exists")
        hand = rig.start_owned()

        view = rig.backend.sessions.view(hand.lease.session)
        busy = rig.backend.ownership.own(rig.session(), hand.instance_id)

        assert view is not None
        assert view.proved_alive
        assert isinstance(busy, Busy)
        assert busy.holder.proved_alive

    def test_of_an_unknown_session_nothing_is_known(self, rig: Rig) -> None:
        """Answer None to a view, and False to a renewal."""
        assert rig.backend.sessions.view(NOBODY) is None
        assert rig.backend.sessions.renew(NOBODY) is False

    def test_two_sessions_of_one_worker_are_two(self, rig: Rig) -> None:
        """Take the same worker id for a second session."""
        first, second = rig.session(worker="w"), rig.session(worker="w")

        rig.backend.sessions.end(first)

        assert not rig.backend.sessions.renew(first)
        assert rig.backend.sessions.renew(second)

    def test_renewing_moves_the_lease(self, rig: Rig) -> None:
        """Store the instant of the renewal."""
        session = rig.session()
        rig.clock.advance(10)

        renewed = rig.backend.sessions.renew(session)

        view = rig.backend.sessions.view(session)
        assert view is not None
        assert (True, rig.clock.now()) == (renewed, view.renewed_at)

    def test_an_expired_session_may_renew(self, rig: Rig) -> None:
        """End no session by time alone."""
        session = rig.session()
        hand = rig.start(session)
        rig.clock.advance(TTL * 100)

        assert rig.backend.sessions.renew(session)
        assert COMMITTED == hand.commit(*step())

    def test_an_ended_session_is_over(self, rig: Rig) -> None:
        """Refuse its renewal, and show it dead or not at all."""
        session = rig.session()

        for _ in range(2):
            rig.backend.sessions.end(session)

        assert not rig.backend.sessions.renew(session)
        view = rig.backend.sessions.view(session)
        assert view is None or not view.alive

    def test_ending_an_unknown_session_is_no_error(self, rig: Rig) -> None:
        """Accept the repetition of an end whose answer was lost."""
        rig.backend.sessions.end(NOBODY)

    def test_ending_releases_everything_uncounted(self, rig: Rig) -> None:
        """Give pool claims and owned runs back at once, charging no death."""
        session = rig.session()
        pooled, owned = rig.start(session), rig.start_owned(session)
        pooled.must(Start())

        rig.backend.sessions.end(session)

        assert rig.load(owned.instance_id).header.owner is None
        cursors = {hand.instance_id: hand.claim.cursor for hand in rig.take_all()}
        assert {pooled.instance_id, owned.instance_id} == set(cursors)
        assert [((), None)] * 2 == [(it.deaths, it.started_at) for it in cursors.values()]
        assert [Lost, Lost] == [type(hand.commit(*step())) for hand in (pooled, owned)]

    def test_ending_one_session_spares_the_others(self, rig: Rig) -> None:
        """Release nothing of another session."""
        hand = rig.start(rig.session())
        session = rig.session()

        rig.backend.sessions.end(session)

        assert COMMITTED == hand.commit(*step())


class ReconcileCases(Conformance):
    """Test what a session gives back when it lists what it holds."""

    def test_what_is_not_listed_is_given_back(self, rig: Rig) -> None:
        """Release the unlisted cursors uncounted, keep the listed ones."""
        session = rig.session()
        kept, forgotten = rig.start(session), rig.start(session)

        rig.backend.sessions.reconcile(session, [kept.lease])

        assert COMMITTED == kept.commit(*step())
        taken = rig.take()
        assert (forgotten.instance_id, ()) == (taken.instance_id, taken.claim.cursor.deaths)

    def test_listing_nothing_gives_everything_back(self, rig: Rig) -> None:
        """Release every cursor of the session; an ownership stays."""
        session = rig.session()
        pooled, owned = rig.start(session), rig.start_owned(session)

        rig.backend.sessions.reconcile(session, [])

        assert [pooled.instance_id] == [hand.instance_id for hand in rig.take_all()]
        assert session == rig.load(owned.instance_id).header.owner
        assert 1 == len(rig.claim_owned(session, owned.instance_id))

    def test_other_sessions_keep_what_they_hold(self, rig: Rig) -> None:
        """Reconcile one session only."""
        other = rig.start(rig.session())

        rig.backend.sessions.reconcile(rig.session(), [])

        assert COMMITTED == other.commit(*step())

    def test_a_lease_under_an_old_fence_keeps_nothing(self, rig: Rig) -> None:
        """Give back a cursor that the session holds anew without knowing of it."""
        session = rig.session()
        old = rig.start(session)
        rig.backend.claims.release([old.lease])
        rig.claim(session)

        rig.backend.sessions.reconcile(session, [old.lease])

        assert old.instance_id == rig.take().instance_id

    def test_listing_what_is_no_longer_held_takes_nothing_back(self, rig: Rig) -> None:
        """Leave a cursor with the session that claimed it since."""
        session = rig.session()
        old = rig.start(session)
        rig.backend.claims.release([old.lease])
        new = rig.take()

        rig.backend.sessions.reconcile(session, [old.lease])

        assert COMMITTED == new.commit(*step())


class SessionConformance(LeaseCases, LaneCases, ReconcileCases, ReconciledRunCases, ReapCases):
    """Test a ``SessionStore``."""
