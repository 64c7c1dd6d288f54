"""When a store says that the next claim may find something."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sayiir_core.snapshot.effect import AwaitSignal, Effect, Finish, Retry, Sleep
from sayiir_core.snapshot.head import Lane
from sayiir_core.snapshot.reference import INPUT
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import failed, move, spawn, step
from sayiir_pytest.conformance.suite import Conformance


class NextDueCases(Conformance):
    """Test ``ClaimStore.next_due`` and ``ClaimStore.aging_interval``."""

    def test_the_aging_interval_is_told(self, rig: Rig) -> None:
        """Return the interval that the backend was built with."""
        assert self.aging_interval == rig.backend.claims.aging_interval

    def test_where_nothing_is_queued_nothing_is_due(self, rig: Rig) -> None:
        """Answer None for lanes without a cursor, unknown lanes and no lanes."""
        other = rig.define()
        rig.create(rig.new(group="gpu"))
        rig.create(rig.new(definition=other))
        unknown = Lane(rig.definition.identity._replace(structure_hash="9" * 64), "gpu")

        for lanes in ([rig.lane(), rig.lane("cpu"), unknown], [unknown], []):
            assert rig.backend.claims.next_due(lanes) is None

    def test_what_is_due_already_has_an_instant_in_the_past(self, rig: Rig) -> None:
        """Answer since when the first cursor is due, however long ago."""
        since = rig.clock.now()
        rig.create(rig.new())
        rig.clock.advance(3600)
        rig.create(rig.new(priority=1))

        assert since == rig.backend.claims.next_due([rig.lane()])

    @pytest.mark.parametrize("rest", ["retry", "sleep", "deadline"])
    def test_a_cursor_at_rest_is_due_at_its_instant(self, rig: Rig, rest: str) -> None:
        """Answer an instant of the future to the microsecond, and the same when it is past."""
        hand = rig.start()
        wait = timedelta(seconds=10, microseconds=1)
        at = rig.clock.now() + wait
        effects: dict[str, tuple[Effect, ...]] = {
            "retry": (failed(0), Retry(at)),
            "sleep": (move(1), Sleep(at)),
            "deadline": (move(1), AwaitSignal("go", wait)),
        }
        hand.must(*effects[rest])

        early = rig.backend.claims.next_due([rig.lane()])
        rig.clock.advance(60)

        assert (at, at) == (early, rig.backend.claims.next_due([rig.lane()]))

    def test_the_first_of_all_the_lanes_counts(self, rig: Rig) -> None:
        """Look at these lanes only, and at all of them, whatever the priorities."""
        other = rig.define()
        now = rig.clock.now()
        waits = {("a", None, 5): 30, ("b", None, 1): 40, ("", other, 3): 20, ("", None, 3): 10}
        for (group, definition, priority), seconds in waits.items():
            rig.create(rig.new(group=group, definition=definition, priority=priority))
            (claim,) = rig.claim(rig.session(), group, definition=definition)
            at = now + timedelta(seconds=seconds)
            position = move(1, group=group, priority=priority)
            Hand(rig.backend, claim).must(position, Sleep(at))
        lanes = [rig.lane("a"), rig.lane("b"), rig.lane("", other), rig.lane()]

        found = [rig.backend.claims.next_due(lanes[:number]) for number in (1, 2, 3, 4)]

        assert [30, 30, 20, 10] == [(at - now).total_seconds() for at in found if at]

    def test_what_nobody_could_claim_does_not_count(self, rig: Rig) -> None:
        """Leave out what is claimed, owned, held, or waits for an event alone."""
        control = rig.backend.control
        rig.start_owned().must(move(1), Sleep(rig.clock.now()))
        for ask in (control.pause, control.cancel):
            hand = rig.start()
            hand.must(*step(), keep=False)
            ask(hand.instance_id, reason=None, by=None)
        rig.start().must(move(1), AwaitSignal("go", None))
        rig.start().must(Finish(INPUT))
        root = rig.start()
        root.must(move(9), spawn(1, 2))
        rig.take_all()
        rig.start()

        assert rig.backend.claims.next_due([rig.lane()]) is None

    def test_what_becomes_free_counts_at_once(self, rig: Rig) -> None:
        """Answer the due time of what is released, disowned, unpaused or signalled."""
        lanes = [rig.lane()]
        due = rig.clock.now()
        hand = rig.start()
        owned = rig.start_owned()
        rig.clock.advance(1)

        rig.backend.ownership.disown(owned.lease.session, owned.run)
        disowned = rig.backend.claims.next_due(lanes)
        rig.backend.control.pause(owned.instance_id, reason=None, by=None)
        paused = rig.backend.claims.next_due(lanes)
        rig.backend.claims.release([hand.lease])

        assert (due, None, due) == (disowned, paused, rig.backend.claims.next_due(lanes))

    def test_no_claim_finds_anything_before_it(self, rig: Rig) -> None:
        """Jump from one answer to the next, and find something at each of them only."""
        for seconds in (3, 1, 2):
            hand = rig.start()
            hand.must(failed(0), Retry(rig.clock.now() + timedelta(seconds=seconds)))
        session, lanes = rig.session(), [rig.lane()]
        found: list[int] = []

        while (due := rig.backend.claims.next_due(lanes)) is not None:
            rig.clock.advance_to(due - timedelta(microseconds=1))
            assert [] == rig.claim(session)
            rig.clock.advance_to(due)
            found.append(len(rig.claim(session)))

        assert [1, 1, 1] == found
