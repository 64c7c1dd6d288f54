"""Which cursors a claim gives, and in which order."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sayiir_core.errors import BackendError
from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.effect import AwaitSignal, Effect, Retry, Sleep
from sayiir_core.snapshot.head import CursorKey, Lane
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import NOBODY, failed, move, spawn, step, succeeded
from sayiir_pytest.conformance.suite import Conformance


class OrderCases(Conformance):
    """Test which cursors are given, and in which order."""

    def test_a_claim_hands_out_a_due_cursor_under_a_new_fence(self, rig: Rig) -> None:
        """Answer the lease, the definition, the trace and the cursor as it is stored."""
        new = rig.new(trace_parent="00-abc-def-01", priority=2)
        rig.create(new)
        session = rig.session()

        (claim,) = rig.claim(session, claim_no=77)

        lease = claim.lease
        assert (new.instance_id, new.run_id, CursorKey(0, ()), session, 1) == (
            lease.instance_id,
            lease.run_id,
            lease.key,
            lease.session,
            lease.fence,
        )
        assert (rig.definition.identity, "00-abc-def-01") == (claim.identity, claim.trace_parent)
        assert (session, 77, 1) == (
            claim.cursor.session,
            claim.cursor.claim_no,
            claim.cursor.fence,
        )
        assert rig.root(new.instance_id) == claim.cursor

    def test_a_claimed_cursor_is_the_callers_own(self, rig: Rig) -> None:
        """Share no mutable state with the store."""
        hand = rig.start()
        before = rig.root(hand.instance_id)

        hand.claim.cursor.node = 99
        hand.claim.cursor.session = None

        assert before == rig.root(hand.instance_id)

    def test_a_claimed_cursor_is_not_given_again(self, rig: Rig) -> None:
        """Give a cursor neither to another session nor to the same one."""
        session = rig.session()
        rig.start(session)

        assert [] == rig.claim(session)
        assert [] == rig.claim(rig.session())

    def test_the_limit_holds(self, rig: Rig) -> None:
        """Give at most as many as asked, and every cursor in the end."""
        rig.backend.instances.create([rig.new() for _ in range(5)])
        session = rig.session()

        sizes = [len(rig.claim(session, limit=limit)) for limit in (0, 2, 2, 2, 2)]

        assert [0, 2, 2, 1, 0] == sizes

    def test_only_cursors_of_the_given_lanes_are_handed_out(self, rig: Rig) -> None:
        """Take another group, another structure and another workflow for other lanes."""
        other = rig.define()
        mine = rig.create(rig.new(group="gpu"))
        rig.create(rig.new(group="cpu"))
        rig.create(rig.new())
        rig.create(rig.new(group="gpu", definition=other))
        session = rig.session()

        claims = rig.claim(session, "gpu")
        changed = rig.definition.identity._replace(structure_hash="9" * 64)
        unknown = [Lane(changed, "gpu"), Lane(changed, ""), rig.lane("no such")]

        assert [mine.head.header.instance_id] == ids(claims)
        assert [] == rig.backend.claims.claim(session, rig.claim_no(), unknown, 10)
        assert [] == rig.backend.claims.claim(session, rig.claim_no(), [], 10)

    def test_one_call_takes_from_many_lanes(self, rig: Rig) -> None:
        """Merge the lanes by the order of the queue."""
        other = rig.define()
        made: list[InstanceId] = []
        for group, definition in [("a", None), ("", other), ("b", None), ("", None)]:
            rig.clock.advance(1)
            created = rig.create(rig.new(group=group, definition=definition))
            made.append(created.head.header.instance_id)
        lanes = {rig.lane(""), rig.lane("a"), rig.lane("b"), rig.lane("", other)}

        claims = rig.backend.claims.claim(rig.session(), rig.claim_no(), lanes, 3)

        assert made[:3] == ids(claims)

    def test_a_move_changes_the_lane(self, rig: Rig) -> None:
        """Find a cursor in the lane of the node where it stands now."""
        hand = rig.start()
        hand.must(succeeded(0), move(1, group="gpu"), keep=False)

        assert [] == rig.claim(rig.session(), "")
        assert [hand.instance_id] == ids(rig.claim(rig.session(), "gpu"))

    def test_of_one_priority_the_longest_due_comes_first(self, rig: Rig) -> None:
        """Order by the instant from which a cursor was available, not by creation."""
        early, late, last = rig.start(), rig.start(), rig.start()
        for hand, seconds in ((last, 30), (early, 10), (late, 20)):
            at = rig.clock.now() + timedelta(seconds=seconds)
            hand.must(failed(0), Retry(at), keep=False)
        rig.clock.advance(60)

        assert [early.instance_id, late.instance_id, last.instance_id] == ids(
            rig.claim(rig.session())
        )

    def test_priorities_decide_among_those_queued_together(self, rig: Rig) -> None:
        """Run 5, 3, 1, 4, 2 in the order 1 to 5."""
        by_priority = {
            priority: rig.create(rig.new(priority=priority)).head.header.instance_id
            for priority in (5, 3, 1, 4, 2)
        }

        session = rig.session()
        order = [ids(rig.claim(session, limit=1))[0] for _ in range(5)]

        assert [by_priority[priority] for priority in (1, 2, 3, 4, 5)] == order

    def test_waiting_makes_up_for_priority(self, rig: Rig) -> None:
        """Count one priority as one aging interval of waiting, no more and no less."""
        for slack, expected in ((-1, "urgent"), (1, "patient")):
            patient = rig.create(rig.new(priority=5))
            rig.clock.advance(self.aging_interval * 4 + timedelta(seconds=slack))
            urgent = rig.create(rig.new(priority=1))
            names = {
                patient.head.header.instance_id: "patient",
                urgent.head.header.instance_id: "urgent",
            }

            (first,) = rig.claim(rig.session(), limit=1)
            rig.claim(rig.session())

            assert expected == names[first.lease.instance_id]

    def test_best_first_also_holds_within_one_answer(self, rig: Rig) -> None:
        """Order the cursors of one answer as single claims would."""
        for priority in (3, 1, 2, 3, 1, 2):
            rig.clock.advance(40)
            rig.create(rig.new(priority=priority))

        claims = rig.claim(rig.session())

        order = [
            (claim.cursor.available_at or rig.clock.now())
            + claim.cursor.priority * self.aging_interval
            for claim in claims
        ]
        assert 6 == len(order)
        assert sorted(order) == order

    def test_one_order_holds_over_lanes_priorities_and_calls(self, rig: Rig) -> None:
        """Give hundreds of cursors call by call as one sort of all of them would."""
        definitions = [rig.define() for _ in range(3)]
        for _ in range(20):
            rig.clock.advance(97)
            rig.backend.instances.create(
                [
                    rig.new(definition=definition, priority=priority)
                    for definition in definitions
                    for priority in (3, 5, 1, 4, 2)
                ]
            )
        lanes = {rig.lane("", definition) for definition in definitions}
        session = rig.session()

        claims: list[Claim] = []
        while got := rig.backend.claims.claim(session, rig.claim_no(), lanes, 40):
            claims += got

        order = [
            (claim.cursor.available_at or rig.clock.now())
            + claim.cursor.priority * self.aging_interval
            for claim in claims
        ]
        assert 300 == len(order)
        assert sorted(order) == order

    @pytest.mark.parametrize("rest", ["retry", "sleep", "deadline", "signal", "join"])
    def test_a_cursor_at_rest_is_not_given_before_it_is_due(self, rig: Rig, rest: str) -> None:
        """Give nothing while it waits, and give it once it is due or woken."""
        hand = rig.start()
        until = rig.clock.now() + timedelta(seconds=10)
        effects: dict[str, tuple[Effect, ...]] = {
            "retry": (failed(0), Retry(until)),
            "sleep": (move(1), Sleep(until)),
            "deadline": (move(1), AwaitSignal("go", timedelta(seconds=10))),
            "signal": (move(1), AwaitSignal("go", None)),
            "join": (move(9), spawn(1, group="elsewhere")),
        }
        hand.must(*effects[rest])
        rig.clock.advance(9)

        early = rig.claim(rig.session())
        rig.clock.advance(1)
        if rest == "signal":
            rig.backend.signals.send(hand.instance_id, "go", b"")
        if rest == "join":
            rig.take(None, "elsewhere").arrive()

        assert [] == early
        assert [hand.key] == [claim.lease.key for claim in rig.claim(rig.session())]

    def test_held_and_owned_cursors_are_never_given(self, rig: Rig) -> None:
        """Keep pools from paused, cancelled, failed and owned runs."""
        owner = rig.session()
        paused, cancelled, owned = (rig.create(rig.new()) for _ in range(3))
        rig.backend.control.pause(paused.head.header.instance_id, reason=None, by=None)
        rig.backend.control.cancel(cancelled.head.header.instance_id, reason=None, by=None)
        rig.own(owner, owned.head.header.instance_id)
        born = rig.start_owned(owner)
        born.must(*step(), keep=False)

        assert [] == rig.claim(rig.session())
        assert [] == rig.claim(owner)

    def test_an_ended_session_claims_nothing(self, rig: Rig) -> None:
        """Refuse with ``BackendError`` and leave the cursor to others."""
        created = rig.create(rig.new())
        ended = rig.session()
        rig.backend.sessions.end(ended)

        for session in (ended, NOBODY):
            with pytest.raises(BackendError):
                rig.claim(session)

        assert [created.head.header.instance_id] == ids(rig.claim(rig.session()))


def ids(claims: list[Claim]) -> list[InstanceId]:
    """Return the instances of some claims, in order."""
    return [claim.lease.instance_id for claim in claims]
