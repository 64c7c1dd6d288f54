"""What a store of sessions must do: keep leases, and take from the dead."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from sayiir_core.errors import BackendError
from sayiir_core.ids import SessionId
from sayiir_core.ports.sessions import NewSession
from sayiir_core.snapshot.answer import COMMITTED, Lost
from sayiir_core.snapshot.effect import Sleep, Start
from sayiir_pytest.conformance.child import in_forked_child
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import TTL, Rig
from sayiir_pytest.conformance.sample import NOBODY, move, spawn, step
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

    def test_one_instance_can_be_reconciled_alone(self, rig: Rig) -> None:
        """Look at no cursor of another instance that the session runs beside it."""
        session = rig.session()
        forgotten, other = rig.start(session), rig.start(session)

        rig.backend.sessions.reconcile(session, [], forgotten.instance_id)

        assert [forgotten.instance_id] == [hand.instance_id for hand in rig.take_all()]
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


class ReapCases(Conformance):
    """Test who is dead, who may say so, and what becomes of what they held."""

    def test_a_steady_session_reaps_an_expired_one(self, rig: Rig) -> None:
        """Name the dead, end its session, and give back what it held and owned."""
        dead = rig.session()
        pooled, owned = rig.start(dead), rig.start_owned(dead)
        reaper = rig.steady_session()

        reaped = rig.backend.sessions.reap(reaper)

        assert dead in reaped
        assert not rig.backend.sessions.renew(dead)
        view = rig.backend.sessions.view(dead)
        assert view is None or not view.alive
        assert rig.load(owned.instance_id).header.owner is None
        taken = {hand.instance_id for hand in rig.take_all()}
        assert {pooled.instance_id, owned.instance_id} == taken

    def test_the_living_are_not_reaped(self, rig: Rig) -> None:
        """Spare a session within its own ttl, and the caller."""
        slow = rig.session(ttl=TTL * 10)
        hand = rig.start(slow)
        reaper = rig.steady_session()

        reaped = rig.backend.sessions.reap(reaper)

        assert slow not in reaped
        assert reaper not in reaped
        assert COMMITTED == hand.commit(*step())

    def test_a_session_is_reaped_once(self, rig: Rig) -> None:
        """Name nobody at the second call."""
        dead = rig.session()
        reaper = rig.steady_session()

        first, second = rig.backend.sessions.reap(reaper), rig.backend.sessions.reap(reaper)

        assert dead in first
        assert [] == second

    def test_a_session_is_expired_only_after_its_ttl(self, rig: Rig) -> None:
        """Spare it at the last instant of its lease, take it behind that."""
        reaper = rig.steady_session()
        dead = rig.session()
        rig.clock.advance(TTL)
        rig.backend.sessions.renew(reaper)

        at_the_end = rig.backend.sessions.reap(reaper)
        rig.clock.advance(timedelta(microseconds=1))
        behind = rig.backend.sessions.reap(reaper)

        assert dead not in at_the_end
        assert dead in behind

    def test_a_newcomer_reaps_nobody(self, rig: Rig) -> None:
        """Wait until the caller itself has been steady for one ttl of its own."""
        dead = rig.session(ttl=timedelta(seconds=1))
        reaper = rig.session()
        for _ in range(3):
            rig.clock.advance(TTL / 3 - timedelta(microseconds=1))
            rig.backend.sessions.renew(reaper)
        early = rig.backend.sessions.reap(reaper)

        rig.clock.advance(timedelta(microseconds=3))
        rig.backend.sessions.renew(reaper)
        steady = rig.backend.sessions.reap(reaper)

        assert [] == early
        assert dead in steady

    def test_a_gap_starts_the_steady_time_anew(self, rig: Rig) -> None:
        """Reap nobody right after an outage that made everybody expire."""
        hand = rig.start(rig.session())
        reaper = rig.steady_session()
        rig.clock.advance(TTL + timedelta(microseconds=1))
        rig.backend.sessions.renew(reaper)

        after_the_gap = rig.backend.sessions.reap(reaper)
        for _ in range(2):
            rig.clock.advance(TTL / 2)
            rig.backend.sessions.renew(reaper)
        steady = rig.backend.sessions.reap(reaper)

        assert [] == after_the_gap
        assert hand.lease.session in steady

    def test_an_expired_session_reaps_nobody(self, rig: Rig) -> None:
        """Judge nobody, least of all itself, before the own lease is renewed."""
        hand = rig.start(rig.session())
        reaper = rig.steady_session()
        rig.clock.advance(TTL * 3)

        assert [] == rig.backend.sessions.reap(reaper)
        assert rig.backend.sessions.renew(hand.lease.session)
        assert rig.backend.sessions.renew(reaper)

    def test_an_ended_session_reaps_nobody(self, rig: Rig) -> None:
        """Take nothing in the name of a session that is over."""
        hand = rig.start(rig.session())
        reaper = rig.steady_session()
        rig.backend.sessions.end(reaper)

        for session in (reaper, NOBODY):
            assert [] == _reap_or_refuse(rig, session)

        assert COMMITTED == hand.commit(*step())

    def test_the_first_death_is_charged_on_suspicion(self, rig: Rig) -> None:
        """Charge every cursor that the dead session held, started or not."""
        dead = rig.session()
        started, idle = rig.start(dead), rig.start(dead)
        started.must(Start())

        rig.backend.sessions.reap(rig.steady_session())

        cursors = [hand.cursor() for hand in (started, idle)]
        assert [((dead,), None), ((dead,), None)] == [
            (cursor.deaths, cursor.started_at) for cursor in cursors
        ]

    def test_further_deaths_are_charged_to_started_bodies_only(self, rig: Rig) -> None:
        """Tell the body that kills its process from its neighbours."""
        first = rig.session()
        hands = [rig.start(first), rig.start(first)]
        rig.backend.sessions.reap(rig.steady_session())
        second = rig.session()
        started, idle = rig.take_all(second)
        started.must(Start())

        rig.backend.sessions.reap(rig.steady_session())

        assert {started.instance_id, idle.instance_id} == {it.instance_id for it in hands}
        assert (first, second) == started.cursor().deaths
        assert (first,) == idle.cursor().deaths

    def test_a_record_clears_the_deaths(self, rig: Rig) -> None:
        """Forget deaths as soon as an attempt ends in any way."""
        hand = rig.start(rig.session())
        rig.backend.sessions.reap(rig.steady_session())

        again = rig.take()
        again.must(*step())

        assert 1 == len(again.claim.cursor.deaths)
        assert () == hand.cursor().deaths

    def test_what_a_dead_session_does_not_hold_is_not_touched(self, rig: Rig) -> None:
        """Charge nothing to sleepers and joins, and wake none."""
        dead = rig.session()
        root = rig.start_owned(dead)
        answer = root.must(move(9), spawn(1, 2), keep=False)
        sleeper = Hand(rig.backend, answer.claims[0])
        until = rig.clock.now() + timedelta(days=1)
        sleeper.must(move(11), Sleep(until))

        rig.backend.sessions.reap(rig.steady_session())

        cursors = rig.load(root.instance_id).cursors
        assert ((), until) == (cursors[sleeper.key].deaths, cursors[sleeper.key].available_at)
        assert ((), 2) == (cursors[root.key].deaths, cursors[root.key].pending)
        assert [2] == [hand.key.scope for hand in rig.take_all()]

    def test_a_dead_process_of_this_host_is_found_at_once(self, rig: Rig) -> None:
        """Reap without waiting for the ttl, and without having been steady."""
        if not self.proves_death:
            pytest.skip("the store does not prove the death of a process")
        dead = SessionId(rig.name("session"))
        alive = rig.session()
        rig.create(rig.new())

        def register_and_claim() -> None:
            new = NewSession(session_id=dead, worker_id="child", ttl=timedelta(days=1))
            rig.backend.sessions.register(new)
            rig.take(dead)

        in_forked_child(register_and_claim)
        reaped = rig.backend.sessions.reap(rig.session())

        assert [dead] == reaped
        assert rig.backend.sessions.renew(alive)
        assert (dead,) == rig.take().claim.cursor.deaths


class SessionConformance(LeaseCases, ReconcileCases, ReapCases):
    """Test a ``SessionStore``."""


def _reap_or_refuse(rig: Rig, session: SessionId) -> list[SessionId]:
    try:
        return rig.backend.sessions.reap(session)
    except BackendError:
        return []
