"""How a failed attempt is left to other sessions for a moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import pytest

from sayiir_core.ids import SessionId
from sayiir_core.snapshot.effect import Retry
from sayiir_core.snapshot.head import Lane
from sayiir_pytest.conformance.claim_order import ids
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import failed, move, succeeded
from sayiir_pytest.conformance.suite import Conformance

BACKOFF: Final = timedelta(seconds=2)
"""A back-off that is avoided as long as any: until two seconds after it is over."""

MOMENT: Final = timedelta(microseconds=1)


class AvoidanceCases(Conformance):
    """Test which cursors a claim leaves to other sessions."""

    def test_a_failed_attempt_is_left_to_another_session_that_serves_its_lane(
        self, rig: Rig
    ) -> None:
        """Pass over it for the session of the failed attempt, give it to another one."""
        unlucky, other = serving(rig), serving(rig)
        hand = fail(rig, unlucky)
        rig.clock.advance(BACKOFF)

        passed_over = rig.claim(unlucky)
        given = rig.claim(other)

        assert [] == passed_over
        assert [hand.instance_id] == ids(given)

    def test_a_run_that_replaces_a_failed_attempt_avoids_nobody(self, rig: Rig) -> None:
        """Also at the very instant at which that attempt was due again."""
        unlucky, _ = serving(rig), serving(rig)
        hand = fail(rig, unlucky)
        rig.clock.advance(BACKOFF)

        rig.backend.instances.create([rig.new(instance_id=hand.instance_id, replace=True)])

        assert [hand.instance_id] == ids(rig.claim(unlucky))

    def test_a_session_that_serves_no_lane_may_take_what_others_avoid(self, rig: Rig) -> None:
        """Look at who failed, not at who serves the lane, when somebody else asks."""
        hand = fail(rig, serving(rig))
        rig.clock.advance(BACKOFF)

        assert [hand.instance_id] == ids(rig.claim(rig.session()))

    @pytest.mark.parametrize("others", ["nobody", "no lane", "another group", "another flow"])
    def test_where_no_other_session_serves_the_lane_nothing_is_left(
        self, rig: Rig, others: str
    ) -> None:
        """Give the failed attempt back to the only session that would ever take it."""
        served: dict[str, list[list[Lane]]] = {
            "nobody": [],
            "no lane": [[]],
            "another group": [[rig.lane("gpu")]],
            "another flow": [[rig.lane("", rig.define())]],
        }
        for lanes in served[others]:
            rig.session(lanes=lanes)
        unlucky = serving(rig)
        hand = fail(rig, unlucky)
        rig.clock.advance(BACKOFF)

        assert [hand.instance_id] == ids(rig.claim(unlucky))

    def test_each_lane_is_judged_by_itself(self, rig: Rig) -> None:
        """Pass over one lane's cursor and give that of another in the same answer."""
        lanes = [rig.lane("cpu"), rig.lane("gpu")]
        unlucky = rig.session(lanes=lanes)
        rig.session(lanes=lanes[1:])
        mine, left = (fail(rig, unlucky, group=group) for group in ("cpu", "gpu"))
        rig.clock.advance(BACKOFF)

        given = ids(rig.claim(unlucky, "cpu", "gpu"))
        rig.clock.advance(BACKOFF)

        assert [mine.instance_id] == given
        assert [left.instance_id] == ids(rig.claim(unlucky, "cpu", "gpu"))

    @pytest.mark.parametrize(
        ("backoff", "avoided"), [(0.5, 0.5), (2, 2), (3600, 2), (0, 0), (-1, 0)]
    )
    def test_the_moment_is_as_long_as_the_back_off_but_two_seconds_at_most(
        self, rig: Rig, backoff: float, avoided: float
    ) -> None:
        """Store whom the cursor avoids, and until when; give it to anybody from then on."""
        unlucky, _ = serving(rig), serving(rig)
        at = rig.clock.now() + timedelta(seconds=backoff)
        until = at + timedelta(seconds=avoided)
        hand = fail(rig, unlucky, backoff=timedelta(seconds=backoff))
        cursor = hand.cursor()
        if avoided:
            rig.clock.advance_to(until - MOMENT)
            early = rig.claim(unlucky)
            rig.clock.advance_to(until)
            assert [] == early

        assert (unlucky, until) == (cursor.avoid, cursor.avoid_until)
        assert [hand.instance_id] == ids(rig.claim(unlucky))

    @pytest.mark.parametrize("how", ["ended", "reaped"])
    def test_what_was_left_to_a_session_that_is_over_is_taken_at_once(
        self, rig: Rig, how: str
    ) -> None:
        """Give it to the session of the failed attempt as soon as nobody else lives."""
        reaper = rig.steady_session()
        unlucky = serving(rig)
        other = rig.session(ttl=timedelta(seconds=1), lanes=[rig.lane()])
        hand = fail(rig, unlucky)
        rig.clock.advance(BACKOFF)
        while_expired = rig.claim(unlucky)

        over: dict[str, Callable[[], object]] = {
            "ended": lambda: rig.backend.sessions.end(other),
            "reaped": lambda: rig.backend.sessions.reap(reaper),
        }
        over[how]()

        assert [] == while_expired
        assert [hand.instance_id] == ids(rig.claim(unlucky))

    def test_what_is_passed_over_does_not_use_up_the_limit(self, rig: Rig) -> None:
        """Find what may be given behind any number of better cursors that are left to others."""
        unlucky, other = serving(rig), serving(rig)
        left = fail_many(rig, unlucky, 150)
        rig.clock.advance(BACKOFF)
        free = [rig.create(rig.new(priority=5)).head.header.instance_id for _ in range(3)]

        given = [ids(rig.claim(unlucky, limit=2)) for _ in range(3)]

        assert [2, 1, 0] == [len(some) for some in given]
        assert sorted(free) == sorted(it for some in given for it in some)
        assert sorted(left) == sorted(ids(rig.claim(other, limit=1000)))

    def test_what_is_passed_over_keeps_its_place_in_the_queue(self, rig: Rig) -> None:
        """Give it in its order once the moment is over."""
        unlucky, _ = serving(rig), serving(rig)
        first = fail(rig, unlucky)
        rig.clock.advance(BACKOFF + MOMENT)
        second = rig.create(rig.new()).head.header.instance_id
        rig.backend.claims.release([it.lease for it in rig.claim(unlucky)])
        rig.clock.advance(BACKOFF)

        assert [first.instance_id, second] == ids(rig.claim(unlucky))

    def test_a_step_forward_ends_the_avoidance(self, rig: Rig) -> None:
        """Give the next node to anybody at once."""
        unlucky, other = serving(rig), serving(rig)
        fail(rig, unlucky)
        rig.clock.advance(BACKOFF)

        hand = rig.take(other)
        hand.must(succeeded(0, attempt=2), move(1), keep=False)

        assert (None, None) == (hand.cursor().avoid, hand.cursor().avoid_until)
        assert [hand.instance_id] == ids(rig.claim(unlucky))

    def test_the_last_failed_attempt_decides_who_is_avoided(self, rig: Rig) -> None:
        """Give an attempt that two sessions failed in turn back to the first one."""
        first, second = serving(rig), serving(rig)
        hand = fail(rig, first)
        rig.clock.advance(BACKOFF)
        again = rig.take(second)
        again.must(failed(0, attempt=2), Retry(rig.clock.now() + BACKOFF))
        rig.clock.advance(BACKOFF)

        assert [] == rig.claim(second)
        assert [hand.instance_id] == ids(rig.claim(first))

    def test_an_owner_avoids_nothing(self, rig: Rig) -> None:
        """Give an owner its own failed attempt, whoever serves the lane."""
        owner, _ = serving(rig), serving(rig)
        hand = rig.start_owned(owner)
        hand.must(failed(0), Retry(rig.clock.now() + BACKOFF))
        rig.clock.advance(BACKOFF)

        assert [hand.key] == [it.key for it in rig.claim_owned(owner, hand.instance_id)]


def serving(rig: Rig) -> SessionId:
    """Register a session that serves the untagged lane."""
    return rig.session(lanes=[rig.lane()])


def fail(rig: Rig, session: SessionId, *, backoff: timedelta = BACKOFF, group: str = "") -> Hand:
    """Create a run and let its first attempt fail in a session."""
    rig.create(rig.new(group=group))
    hand = rig.take(session, group)
    hand.must(failed(0), Retry(rig.clock.now() + backoff))
    return hand


def fail_many(rig: Rig, session: SessionId, number: int) -> list[str]:
    """Create urgent runs whose first attempt fails in a session; return their ids."""
    rig.backend.instances.create([rig.new(priority=1) for _ in range(number)])
    hands = [Hand(rig.backend, claim) for claim in rig.claim(session, limit=number)]
    at = rig.clock.now() + BACKOFF
    rig.backend.checkpoints.commit([hand.next(failed(0), Retry(at)) for hand in hands])
    return [hand.instance_id for hand in hands]
