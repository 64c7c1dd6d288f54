"""Who is dead, who may say so, and what becomes of what they held."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sayiir_core.errors import BackendError
from sayiir_core.ids import SessionId
from sayiir_core.ports.sessions import NewSession
from sayiir_core.snapshot.answer import COMMITTED
from sayiir_core.snapshot.effect import Sleep, Start
from sayiir_pytest.conformance.child import in_forked_child
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import TTL, Rig
from sayiir_pytest.conformance.sample import NOBODY, move, spawn, step
from sayiir_pytest.conformance.suite import Conformance


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


def _reap_or_refuse(rig: Rig, session: SessionId) -> list[SessionId]:
    try:
        return rig.backend.sessions.reap(session)
    except BackendError:
        return []
