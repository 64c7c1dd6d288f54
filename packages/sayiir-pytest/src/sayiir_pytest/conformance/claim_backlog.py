"""How much a store says is waiting."""

from __future__ import annotations

from datetime import datetime, timedelta

from sayiir_core.ports.claims import Backlog
from sayiir_core.snapshot.effect import AwaitSignal, Retry, Sleep
from sayiir_core.snapshot.head import Lane
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import failed, move, step
from sayiir_pytest.conformance.suite import Conformance


class BacklogCases(Conformance):
    """Test ``ClaimStore.backlog``."""

    def test_each_lane_has_one_entry_also_where_nothing_waits(self, rig: Rig) -> None:
        """Answer zero for lanes without a cursor and for unknown lanes, nothing for no lanes."""
        rig.create(rig.new(group="gpu"))
        unknown = Lane(rig.definition.identity._replace(structure_hash="9" * 64), "gpu")
        lanes = [rig.lane(), unknown, rig.lane()]

        found = rig.backend.claims.backlog(lanes, at_most=10)

        assert {Backlog(rig.lane(), 0, None), Backlog(unknown, 0, None)} == set(found)
        assert 2 == len(found)
        assert [] == rig.backend.claims.backlog([], at_most=10)

    def test_what_is_due_is_counted_lane_by_lane_over_all_priorities(self, rig: Rig) -> None:
        """Give the number, and since when the oldest is due, of each lane by itself."""
        times: list[datetime] = []
        for group, priority in (("a", 5), ("a", 1), ("b", 3)):
            times.append(rig.clock.now())
            rig.create(rig.new(group=group, priority=priority))
            rig.clock.advance(10)

        found = rig.backend.claims.backlog([rig.lane("a"), rig.lane("b")], at_most=10)

        expected = {Backlog(rig.lane("a"), 2, times[0]), Backlog(rig.lane("b"), 1, times[2])}
        assert expected == set(found)

    def test_the_count_ends_at_its_bound(self, rig: Rig) -> None:
        """Count no further than asked for, over all priorities together."""
        since = rig.clock.now()
        for priority in (1, 2, 3, 3, 3):
            rig.create(rig.new(priority=priority))

        found = [rig.backend.claims.backlog([rig.lane()], at_most=most) for most in (1, 3, 5, 9)]

        assert [[Backlog(rig.lane(), ready, since)] for ready in (1, 3, 5, 5)] == found

    def test_what_nobody_could_claim_now_is_not_counted(self, rig: Rig) -> None:
        """Leave out what is claimed, owned, held, sleeps, backs off or waits for an event."""
        later = rig.clock.now() + timedelta(hours=1)
        rig.start()
        rig.start_owned()
        held = rig.start()
        held.must(*step(), keep=False)
        rig.backend.control.pause(held.instance_id, reason=None, by=None)
        rig.start().must(move(1), Sleep(later))
        rig.start().must(failed(0), Retry(later))
        rig.start().must(move(1), AwaitSignal("go", None))

        found = rig.backend.claims.backlog([rig.lane()], at_most=10)

        assert [Backlog(rig.lane(), 0, None)] == found

    def test_asking_takes_nothing(self, rig: Rig) -> None:
        """Leave everything to be claimed."""
        rig.create(rig.new())
        session = rig.session()

        before = rig.backend.claims.backlog([rig.lane()], at_most=10)
        claims = rig.claim(session)
        after = rig.backend.claims.backlog([rig.lane()], at_most=10)

        assert [1, 1, 0] == [before[0].ready, len(claims), after[0].ready]
