"""What a store of instances must do: create, read, list and remove runs."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from time import perf_counter

import pytest

from sayiir_core.errors import BackendError, InstanceNotFoundError, RefusedRowError
from sayiir_core.ids import InstanceId
from sayiir_core.ports.instances import Created, Exists
from sayiir_core.snapshot.answer import Lost, LostReason
from sayiir_core.snapshot.head import Cursor, CursorKey, CursorState, Head, Header, InstanceState
from sayiir_core.snapshot.reference import INPUT
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.instance_headers import ErrorSearchCases, HeaderCases
from sayiir_pytest.conformance.instance_removal import PruneCases, ReplaceCases
from sayiir_pytest.conformance.instance_select import SelectCases
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import NOBODY, move, spawn, step, succeeded
from sayiir_pytest.conformance.suite import require_durable


class InstanceConformance(SelectCases, HeaderCases, ErrorSearchCases, ReplaceCases, PruneCases):
    """Test an ``InstanceStore``."""

    def test_a_created_run_has_one_ready_cursor_at_its_first_node(self, rig: Rig) -> None:
        """Answer the whole head, with every field of the request in it."""
        new = rig.new(
            node=2,
            group="gpu",
            priority=1,
            labels={"kunde": "Ünïcode", "": "empty key"},
            trace_parent="00-abc-def-01",
        )

        answer = rig.try_create(new)

        header = Header(
            instance_id=new.instance_id,
            run_id=new.run_id,
            identity=rig.definition.identity,
            policy_fingerprint=rig.definition.policy_fingerprint,
            labels={"kunde": "Ünïcode", "": "empty key"},
            trace_parent="00-abc-def-01",
            created_at=rig.clock.now(),
        )
        cursor = Cursor(
            scope=0,
            index=(),
            node=2,
            turns=(),
            input=INPUT,
            group="gpu",
            priority=1,
            available_at=rig.clock.now(),
        )
        head = Head(header=header, cursors={cursor.key: cursor})
        assert Created(head) == answer
        assert (head.header, head.cursors) == _facts(rig.load(new.instance_id))

    def test_an_id_that_is_taken_is_answered_and_nothing_changes(self, rig: Rig) -> None:
        """Answer the stored run, and keep its input and its labels."""
        first = rig.new(value=b"first", labels={"of": "first"})
        rig.create(first)
        hand = rig.take()
        before = rig.load(first.instance_id)

        answer = rig.try_create(rig.new(first.instance_id, value=b"second", labels={"x": "y"}))

        assert isinstance(answer, Exists)
        assert _facts(before) == _facts(answer.head)
        assert _facts(before) == _facts(rig.load(first.instance_id))
        assert [b"first"] == rig.payloads(hand, INPUT)

    def test_a_batch_is_answered_in_order(self, rig: Rig) -> None:
        """Answer each creation at its own place, and let the first of two equal ids win."""
        taken = rig.new()
        rig.create(taken)
        one, two, again = rig.new(), rig.new(), rig.new(taken.instance_id)
        twice = rig.new(one.instance_id, value=b"late")

        answers = rig.backend.instances.create([one, again, two, twice])

        assert [Created, Exists, Created, Exists] == [type(answer) for answer in answers]
        assert [one.run_id, taken.run_id, two.run_id, one.run_id] == [
            answer.head.header.run_id for answer in answers
        ]

    def test_creating_nothing_is_answered_by_nothing(self, rig: Rig) -> None:
        """Accept a batch of nothing."""
        assert [] == rig.backend.instances.create([])

    def test_a_run_born_owned_is_claimed_by_its_owner(self, rig: Rig) -> None:
        """Answer a claim on the first cursor, and show the cursor to nobody else."""
        owner = rig.session()
        new = rig.new(owner=owner)

        created = rig.create(new)

        assert created.claim is not None
        lease = created.claim.lease
        assert (owner, new.run_id, new.instance_id) == (
            lease.session,
            lease.run_id,
            lease.instance_id,
        )
        stored = rig.load(new.instance_id)
        assert owner == stored.header.owner
        assert created.claim.cursor == stored.cursors[CursorKey(0, ())]
        assert (owner, lease.fence) == (created.claim.cursor.session, created.claim.cursor.fence)
        assert [] == rig.claim(rig.session())

    def test_a_run_without_an_owner_comes_without_a_claim(self, rig: Rig) -> None:
        """Leave the cursor to the pools."""
        created = rig.create(rig.new())

        assert created.claim is None
        assert created.head.header.owner is None

    def test_an_ended_session_cannot_be_born_an_owner(self, rig: Rig) -> None:
        """Refuse with ``BackendError`` and create nothing."""
        ended = rig.session()
        rig.backend.sessions.end(ended)

        for owner in (ended, NOBODY):
            new = rig.new(owner=owner)
            with pytest.raises(BackendError):
                rig.try_create(new)
            with pytest.raises(InstanceNotFoundError):
                rig.load(new.instance_id)

    def test_an_unknown_instance_is_an_error_that_names_it(self, rig: Rig) -> None:
        """Raise ``InstanceNotFoundError`` with the id."""
        with pytest.raises(InstanceNotFoundError) as caught:
            rig.load("no-such-instance")

        assert "no-such-instance" == caught.value.instance_id

    def test_an_input_that_the_store_cannot_hold_is_an_error(self, rig: Rig) -> None:
        """Raise ``RefusedRowError``, create nothing, and leave the id free."""
        new = rig.new(value=rig.too_large())

        with pytest.raises(RefusedRowError):
            rig.try_create(new)
        with pytest.raises(InstanceNotFoundError):
            rig.load(new.instance_id)

        assert isinstance(rig.try_create(rig.new(new.instance_id)), Created)

    def test_a_loaded_head_is_the_callers_own(self, rig: Rig) -> None:
        """Share no mutable state: what a caller does to a head never reaches the store."""
        new = rig.new(labels={"a": "b"})
        created = rig.create(new)
        before = deepcopy(_facts(rig.load(new.instance_id)))

        for head in (created.head, rig.load(new.instance_id)):
            head.header.state = InstanceState.FAILED
            head.header.labels["a"] = "changed"
            head.cursors[CursorKey(0, ())].held = True
            head.cursors.clear()

        assert before == _facts(rig.load(new.instance_id))

    def test_a_head_shows_every_live_cursor(self, rig: Rig) -> None:
        """Show a fork as its joining parent and one cursor per branch."""
        hand = rig.start()

        hand.must(succeeded(0), move(9), spawn(1, 2, 3), keep=False)

        cursors = rig.load(hand.instance_id).cursors
        keys = [CursorKey(scope, ()) for scope in range(4)]
        assert keys == sorted(cursors)
        assert [CursorState.JOINING, *[CursorState.READY] * 3] == [
            cursors[key].state for key in keys
        ]

    def test_a_head_does_not_grow_with_the_history(self, rig: Rig) -> None:
        """Hold one cursor after two hundred steps as after none."""
        hand = rig.start()

        for number in range(200):
            hand.must(*step(number))

        head = rig.load(hand.instance_id)
        assert [CursorKey(0, ())] == list(head.cursors)
        assert 200 == head.cursors[CursorKey(0, ())].node

    def test_a_load_and_a_commit_cost_the_same_after_many_steps(self, rig: Rig) -> None:
        """Take about as long after a thousand steps as after ten."""
        hand = rig.start()
        rig.backend.checkpoints.commit([hand.next(*step(number)) for number in range(10)])
        early = _fastest_round(rig, hand, 10)
        for start in range(100, 1100, 100):
            batch = [hand.next(*step(start + number)) for number in range(100)]
            rig.backend.checkpoints.commit(batch)

        late = _fastest_round(rig, hand, 2000)

        assert late < 5 * early + timedelta(milliseconds=1)

    def test_ids_are_kept_letter_by_letter(self, rig: Rig) -> None:
        """Tell apart ids that differ in case, blanks, accents or their form."""
        stem = rig.name("Id")
        ids = [
            stem,
            stem.upper(),
            stem + " ",
            " " + stem,
            stem + "\u00e9",
            stem + "e\u0301",
            stem + "%",
            stem + "'; --",
        ]

        answers = rig.backend.instances.create([rig.new(it) for it in ids])

        assert [Created] * len(ids) == [type(answer) for answer in answers]
        assert ids == [rig.load(it).header.instance_id for it in ids]

    def test_an_id_of_256_bytes_is_kept_whole(self, rig: Rig) -> None:
        """Take the longest id there is."""
        stem = rig.name() + "ü" * 80
        longest = InstanceId(stem + "x" * (256 - len(stem.encode())))

        rig.create(rig.new(longest))

        assert 256 == len(longest.encode())
        assert longest == rig.load(longest).header.instance_id

    def test_two_backends_on_one_place_see_one_store(self, rig: Rig) -> None:
        """See through a second backend what the first one wrote."""
        if not rig.backend.capabilities.shared:
            pytest.skip("the store does not declare the capability shared")
        new = rig.new()
        rig.create(new)

        other = rig.other()

        assert _facts(rig.load(new.instance_id)) == _facts(other.instances.load(new.instance_id))

    def test_a_created_run_survives_the_process(self, rig: Rig) -> None:
        """Load a run again after the backend was closed and opened anew."""
        require_durable(rig.backend.capabilities)
        new = rig.new(labels={"a": "b"})
        rig.create(new)
        before = _facts(rig.load(new.instance_id))

        rig.reopen()

        assert before == _facts(rig.load(new.instance_id))

    def test_a_run_that_was_never_created_has_no_cursor_to_commit(self, rig: Rig) -> None:
        """Answer ``Lost`` to a guard on a run that lost the race for its id."""
        winner = rig.start()
        loser = rig.new(winner.instance_id)
        rig.try_create(loser)

        answer = winner.under(run_id=loser.run_id).commit(*step())

        assert Lost(LostReason.REPLACED) == answer


def _fastest_round(rig: Rig, hand: Hand, node: int) -> timedelta:
    """Return the least time that a commit with a load took, so that noise does not matter."""
    times: list[float] = []
    for number in range(node, node + 20):
        start = perf_counter()
        hand.must(*step(number))
        rig.load(hand.instance_id)
        times.append(perf_counter() - start)
    return timedelta(seconds=min(times))


def _facts(head: Head) -> tuple[Header, dict[CursorKey, Cursor]]:
    """Return what two loads of one head must agree on; the inbox need not be filled."""
    return head.header, head.cursors
