"""What listing instances must do."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from sayiir_core.ids import InstanceId, WorkflowId
from sayiir_core.ports.instances import InstanceQuery
from sayiir_core.snapshot.effect import Finish
from sayiir_core.snapshot.head import InstanceState
from sayiir_core.snapshot.reference import INPUT
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import give_up
from sayiir_pytest.conformance.suite import Conformance


class SelectCases(Conformance):
    """Test the listing of an ``InstanceStore``."""

    def test_a_listing_goes_from_the_newest_to_the_oldest_run(self, rig: Rig) -> None:
        """Order by creation, the latest first."""
        made = create_apart(rig, 4)

        assert made[::-1] == listed(rig)

    def test_a_listing_holds_whole_headers(self, rig: Rig) -> None:
        """Answer the headers that a load would."""
        hand = rig.start()
        hand.must(*give_up())

        page = rig.backend.instances.select(query(rig))

        assert [rig.load(hand.instance_id).header] == page.headers
        assert page.next is None

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
    def test_pages_join_to_the_whole_listing(self, rig: Rig, limit: int) -> None:
        """Skip and repeat nothing, also among runs of one instant."""
        batch = [rig.new() for _ in range(4)]
        rig.backend.instances.create(batch)
        made = [it.instance_id for it in batch] + create_apart(rig, 3)

        seen = listed(rig, limit=limit)

        assert sorted(made) == sorted(seen)
        assert made[:3:-1] == seen[:3]

    def test_a_page_that_ends_the_listing_names_no_next(self, rig: Rig) -> None:
        """Spare the caller one empty page."""
        create_apart(rig, 3)

        page = rig.backend.instances.select(query(rig, limit=3))

        assert 3 == len(page.headers)
        assert page.next is None or (
            [] == rig.backend.instances.select(query(rig, limit=3, after=page.next)).headers
        )

    def test_runs_created_meanwhile_move_no_page(self, rig: Rig) -> None:
        """Go on behind the last page, whatever was created since."""
        made = create_apart(rig, 4)
        first = rig.backend.instances.select(query(rig, limit=2))

        create_apart(rig, 3)
        second = rig.backend.instances.select(query(rig, limit=2, after=first.next))

        assert made[3:1:-1] == [it.instance_id for it in first.headers]
        assert made[1::-1] == [it.instance_id for it in second.headers]

    def test_runs_removed_meanwhile_move_no_page(self, rig: Rig) -> None:
        """Go on behind the last page, even if its last run is gone."""
        made = create_apart(rig, 4)
        first = rig.backend.instances.select(query(rig, limit=2))

        for instance_id in made[2:]:
            rig.backend.control.cancel(instance_id, reason=None, by=None)
        rig.clock.advance(1)
        rig.backend.instances.prune(finished_before=rig.clock.now(), limit=10)
        second = rig.backend.instances.select(query(rig, limit=2, after=first.next))

        assert made[1::-1] == [it.instance_id for it in second.headers]

    def test_a_listing_can_be_narrowed_to_a_workflow(self, rig: Rig) -> None:
        """List one workflow id, and nothing for an unknown one."""
        (mine,) = create_apart(rig, 1)
        rig.create(rig.new(definition=rig.define()))

        assert [mine] == listed(rig)
        assert [] == listed(rig, workflow_id=WorkflowId(rig.name("unknown")))

    def test_a_listing_can_be_narrowed_to_a_stored_state(self, rig: Rig) -> None:
        """List by each of the five states."""
        for state, instance_id in make_states(rig).items():
            assert [instance_id] == listed(rig, state=state)

    def test_a_prefix_is_text_and_no_pattern(self, rig: Rig) -> None:
        """Take every character of a prefix as itself, in its case."""
        stem = rig.name("P")
        ids = [f"{stem}_a", f"{stem}xa", f"{stem}%a", f"{stem}\\a", f"{stem.lower()}_a", f"{stem}é"]
        rig.backend.instances.create([rig.new(it) for it in ids])

        for tail in ("_", "x", "%", "\\", "é"):
            expected = [it for it in ids if it.startswith(stem + tail)]
            assert expected == listed(rig, id_prefix=stem + tail)
        assert sorted(it for it in ids if it.startswith(stem)) == sorted(
            listed(rig, id_prefix=stem)
        )

    def test_labels_narrow_a_listing_together(self, rig: Rig) -> None:
        """List the runs that have every given label, whatever else they have."""
        both = rig.new(labels={"env": "prod", "team": "a'b\"c", "more": "x"})
        one = rig.new(labels={"env": "prod", "team": "other"})
        rig.backend.instances.create([both, one, rig.new()])

        assert [both.instance_id] == listed(rig, labels={"env": "prod", "team": "a'b\"c"})
        assert sorted([both.instance_id, one.instance_id]) == sorted(
            listed(rig, labels={"env": "prod"})
        )
        assert [] == listed(rig, labels={"env": "pro"})
        assert [] == listed(rig, labels={"missing": ""})

    def test_instants_narrow_a_listing_to_the_microsecond(self, rig: Rig) -> None:
        """Exclude a run that was created at the very instant that is given."""
        made = create_apart(rig, 3, by=timedelta(microseconds=1))
        at = [rig.load(it).header.created_at for it in made]

        assert [made[0]] == listed(rig, created_before=at[1])
        assert [made[2]] == listed(rig, created_after=at[1])
        assert [made[1]] == listed(rig, created_after=at[0], created_before=at[2])

    def test_every_given_condition_must_hold(self, rig: Rig) -> None:
        """List nothing that fails one of several conditions."""
        stem = rig.name()
        rig.create(rig.new(f"{stem}-1", labels={"a": "1"}))
        rig.create(rig.new(f"{stem}-2", labels={"a": "2"}))

        assert [f"{stem}-1"] == listed(
            rig, id_prefix=stem, labels={"a": "1"}, state=InstanceState.RUNNING
        )
        assert [] == listed(rig, id_prefix=stem, labels={"a": "1"}, state=InstanceState.PAUSED)


def query(rig: Rig, **conditions: Any) -> InstanceQuery:
    """Return a query for the runs of this test."""
    conditions.setdefault("workflow_id", rig.definition.workflow_id)
    return InstanceQuery(**conditions)


def listed(rig: Rig, *, limit: int = 3, **conditions: Any) -> list[InstanceId]:
    """Return the ids of a whole listing, read page by page."""
    ids: list[InstanceId] = []
    after: str | None = None
    while True:
        page = rig.backend.instances.select(query(rig, limit=limit, after=after, **conditions))
        assert len(page.headers) <= limit
        ids.extend(header.instance_id for header in page.headers)
        if page.next is None:
            return ids
        after = page.next


def create_apart(
    rig: Rig, number: int, *, by: timedelta = timedelta(seconds=1)
) -> list[InstanceId]:
    """Create runs one after the other, each at an instant of its own."""
    made: list[InstanceId] = []
    for _ in range(number):
        rig.clock.advance(by)
        made.append(rig.create(rig.new()).head.header.instance_id)
    return made


def make_states(rig: Rig) -> dict[InstanceState, InstanceId]:
    """Create one quiescent run in each stored state."""
    hands = {state: rig.start() for state in InstanceState}
    hands[InstanceState.COMPLETED].must(Finish(INPUT))
    hands[InstanceState.FAILED].must(*give_up())
    for state in (InstanceState.RUNNING, InstanceState.PAUSED, InstanceState.CANCELLED):
        rig.backend.claims.release([hands[state].lease])
    rig.backend.control.pause(hands[InstanceState.PAUSED].instance_id, reason=None, by=None)
    rig.backend.control.cancel(hands[InstanceState.CANCELLED].instance_id, reason=None, by=None)
    return {state: hand.instance_id for state, hand in hands.items()}


def end_run(rig: Rig, *, at: datetime | None = None) -> InstanceId:
    """Create a run and complete it, now or at an instant."""
    if at is not None:
        rig.clock.advance_to(at)
    hand = rig.start()
    hand.must(Finish(INPUT))
    return hand.instance_id
