"""What a store of results must do: read back exactly what runs recorded."""

from __future__ import annotations

import uuid

import pytest

from sayiir_core.ids import InstanceId, RunId
from sayiir_core.snapshot.effect import Arrive, AwaitSignal, Bind, Finish, Retry
from sayiir_core.snapshot.head import CursorKey
from sayiir_core.snapshot.reference import INPUT, JoinRef, Leaf, Ref, RoutedRef, SignalRef, StepRef
from sayiir_core.snapshot.step import StepStatus
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import ERROR, failed, give_up, move, spawn, step, succeeded
from sayiir_pytest.conformance.suite import Conformance

UNKNOWN = RunId(str(uuid.UUID(int=0)))


class PayloadCases(Conformance):
    """Test how payloads are read by reference."""

    def test_payloads_are_answered_in_the_order_asked(self, rig: Rig) -> None:
        """Answer each leaf at its own place, also one that is asked twice."""
        hand = rig.start()
        hand.must(*step(0, output=b"zero"))
        hand.must(*step(1, output=b"one"))
        seq = rig.backend.signals.send(hand.instance_id, "go", b"signal")
        leaves: list[Leaf] = [StepRef(1), SignalRef(seq), INPUT, StepRef(0), StepRef(1)]

        found = rig.payloads(hand, *leaves)

        assert [b"one", b"signal", b"in", b"zero", b"one"] == found

    def test_payloads_are_plain_bytes(self, rig: Rig) -> None:
        """Answer objects that compare, hash and pickle as bytes do."""
        hand = rig.start()
        hand.must(*step(0))

        assert [bytes, bytes] == [type(it) for it in rig.payloads(hand, INPUT, StepRef(0))]

    def test_nothing_is_asked_and_nothing_answered(self, rig: Rig) -> None:
        """Accept an empty list."""
        assert [] == rig.payloads(rig.start())

    def test_what_is_absent_is_none(self, rig: Rig) -> None:
        """Raise nothing for a step, a turn, a signal or a run that does not exist."""
        hand = rig.start()
        hand.must(*step(0))
        absent: list[Leaf] = [StepRef(1), StepRef(0, (0,)), SignalRef(12345)]

        assert [None] * 3 == rig.payloads(hand, *absent)
        assert [None] * 2 == rig.backend.results.payloads(
            InstanceId(rig.name()), UNKNOWN, [INPUT, StepRef(0)]
        )

    def test_only_success_has_a_payload(self, rig: Rig) -> None:
        """Answer None for a failed step, and the output once it succeeded."""
        hand = rig.start()
        hand.must(failed(0), Retry(rig.clock.now()))
        after_failure = rig.payloads(hand, StepRef(0))
        rig.take().must(succeeded(0, output=b"late", attempt=2), move(1))

        assert [None] == after_failure
        assert [b"late"] == rig.payloads(hand, StepRef(0))

    def test_a_step_with_a_source_has_no_payload_of_its_own(self, rig: Rig) -> None:
        """Leave it to the reader to follow the source."""
        hand = rig.start()
        hand.must(succeeded(0, source=INPUT), move(1))

        row = rig.backend.results.step(hand.run_id, 0, ())

        assert [None] == rig.payloads(hand, StepRef(0))
        assert row is not None
        assert (INPUT, None) == (row.record.source, row.record.output)

    def test_payloads_belong_to_their_run(self, rig: Rig) -> None:
        """Read nothing of another run, though nodes and turns are the same."""
        one, two = rig.start(), rig.start()
        one.must(*step(0, output=b"one"))
        two.must(*step(0, output=b"two"))

        assert [b"one"] == rig.payloads(one, StepRef(0))
        assert [b"two"] == rig.payloads(two, StepRef(0))

    def test_many_payloads_are_read_at_once(self, rig: Rig) -> None:
        """Answer a thousand leaves."""
        hand = rig.start()
        batch = [hand.next(*step(n, output=str(n).encode())) for n in range(1000)]
        rig.backend.checkpoints.commit(batch)

        found = rig.payloads(hand, *(StepRef(n) for n in range(1000)))

        assert [str(n).encode() for n in range(1000)] == found

    def test_a_large_output_is_kept_whole(self, rig: Rig) -> None:
        """Keep two mebibytes, byte by byte."""
        hand = rig.start()
        large = bytes(range(256)) * 8192

        hand.must(*step(0, output=large))

        assert [large] == rig.payloads(hand, StepRef(0))


class BranchCases(Conformance):
    """Test how the values of finished scopes are read."""

    def test_branches_are_answered_in_declaration_order(self, rig: Rig) -> None:
        """Order by scope, not by arrival; answer None for who has not arrived."""
        root = rig.start()
        root.must(move(9), spawn(1, 2, 3), keep=False)
        branches = rig.take_all()
        join = JoinRef(1, 3)
        values: list[Ref] = [RoutedRef(StepRef(3), StepRef(1)), INPUT, JoinRef(7, 2)]
        seen = [rig.backend.results.branches(root.run_id, join)]

        for number in (2, 0, 1):
            branches[number].arrive(values[number])
            seen.append(rig.backend.results.branches(root.run_id, join))

        one, two, three = values
        assert [
            [None, None, None],
            [None, None, three],
            [one, None, three],
            [one, two, three],
        ] == seen

    def test_branches_belong_to_a_turn(self, rig: Rig) -> None:
        """Tell the same fork in two turns of a loop apart."""
        hand = rig.start()
        for turn in (0, 1):
            hand.must(move(9, turns=(turn,)), spawn(1, 2, turns=(turn,)), keep=False)
            for branch in rig.take_all():
                branch.arrive(StepRef(turn, (branch.key.scope,)))
            hand = rig.take()

        found = [rig.backend.results.branches(hand.run_id, JoinRef(1, 2, (n,))) for n in (0, 1, 2)]

        assert [
            [StepRef(0, (1,)), StepRef(0, (2,))],
            [StepRef(1, (1,)), StepRef(1, (2,))],
            [None, None],
        ] == found

    def test_branches_of_an_unknown_run_are_all_absent(self, rig: Rig) -> None:
        """Answer as many as asked."""
        assert [None] * 4 == rig.backend.results.branches(UNKNOWN, JoinRef(1, 4))
        assert rig.backend.results.scope(UNKNOWN, 1, ()) is None

    def test_an_arrived_branch_is_a_finished_scope(self, rig: Rig) -> None:
        """Read one branch as any other scope."""
        rig.start().must(move(9), spawn(1, 2), keep=False)
        first, _ = rig.take_all()
        first.must(Bind(5, (), INPUT), Arrive(StepRef(10), CursorKey(0, ())))

        found = [rig.backend.results.scope(first.run_id, scope, ()) for scope in (1, 2, 5)]

        assert [StepRef(10), None, INPUT] == found

    def test_many_branches_are_read_in_the_order_of_their_numbers(self, rig: Rig) -> None:
        """Order scopes as numbers: 9 before 10, 255 before 256."""
        hand = rig.start()
        effects = [Bind(scope, (), StepRef(scope)) for scope in range(1, 301)]
        hand.must(*reversed(effects), move(1))

        found = rig.backend.results.branches(hand.run_id, JoinRef(1, 300))

        assert [StepRef(scope) for scope in range(1, 301)] == found


class RecordCases(Conformance):
    """Test how records are read by key and by page."""

    def test_a_step_is_read_by_its_key(self, rig: Rig) -> None:
        """Answer the record with its guard, None for another turn."""
        hand = rig.start()
        record = succeeded(0, turns=(2,), output=b"x", at=rig.clock.now())
        hand.must(record, move(1))

        row = rig.backend.results.step(hand.run_id, 0, (2,))

        assert row is not None
        assert (record.step, hand.lease.session, hand.lease.fence, 0) == (
            row.record,
            row.session,
            row.fence,
            row.seq,
        )
        assert rig.backend.results.step(hand.run_id, 0, (1,)) is None
        assert rig.backend.results.step(UNKNOWN, 0, (2,)) is None

    def test_of_failed_attempts_the_last_one_answers(self, rig: Rig) -> None:
        """Answer the latest failure as long as there is no success."""
        hand = rig.start()
        for attempt in range(1, 12):
            hand.must(failed(0, attempt=attempt), Retry(rig.clock.now()))
            hand = rig.take()
        rows = [rig.backend.results.step(hand.run_id, 0, ())]
        hand.must(succeeded(0, attempt=12), move(1))
        rows.append(rig.backend.results.step(hand.run_id, 0, ()))

        seen = [row and (row.record.attempt, row.record.status) for row in rows]
        assert [(11, StepStatus.FAILED), (12, StepStatus.SUCCEEDED)] == seen

    @pytest.mark.parametrize("prefix", [(), (7,)])
    def test_the_last_turn_is_the_highest_by_number(
        self, rig: Rig, prefix: tuple[int, ...]
    ) -> None:
        """Compare turns as numbers, not as text or bytes of uneven length."""
        hand = rig.start()
        for turn in (0, 9, 10, 255, 256, 70_000):
            hand.must(succeeded(0, turns=(*prefix, turn)), move(0))
        if prefix:
            hand.must(succeeded(0, turns=(8, 1)), move(0))

        found = rig.backend.results.last_turn(hand.run_id, 0, prefix)

        assert (*prefix, 70_000) == found

    def test_a_last_turn_starts_with_the_prefix(self, rig: Rig) -> None:
        """Compare whole turns of the prefix, not its digits; failures count too."""
        hand = rig.start()
        hand.must(succeeded(0, turns=(1, 5)), move(0))
        hand.must(failed(0, turns=(1, 6)), Retry(rig.clock.now()))
        hand = rig.take()
        for turns in ((10, 0), (11, 0), (256, 3)):
            hand.must(succeeded(0, turns=turns), move(0))
        hand.must(succeeded(1, turns=(1, 99)), move(0))

        last = rig.backend.results.last_turn

        assert [(1, 6), (10, 0), None, (256, 3), (1, 6)] == [
            last(hand.run_id, 0, prefix) for prefix in ((1,), (10,), (2,), (), (1, 6))
        ]
        assert last(UNKNOWN, 0, ()) is None

    def test_a_node_outside_of_loops_has_its_one_turn(self, rig: Rig) -> None:
        """Answer the empty turns if there is a record, None if not."""
        hand = rig.start()
        hand.must(*step(0))

        found = [rig.backend.results.last_turn(hand.run_id, node, ()) for node in (0, 1)]

        assert [(), None] == found

    @pytest.mark.parametrize("limit", [1, 3, 8, 100])
    def test_pages_join_to_the_history_in_writing_order(self, rig: Rig, limit: int) -> None:
        """Skip and repeat nothing, and end with no next."""
        hand = rig.start()
        for number in (5, 1, 3, 2, 7, 0, 4, 6):
            hand.must(succeeded(number), move(number))
        nodes: list[int] = []
        after: str | None = None

        while True:
            page = rig.backend.results.steps(hand.run_id, after=after, limit=limit)
            assert len(page.rows) <= limit
            nodes.extend(row.record.node for row in page.rows)
            if (after := page.next) is None:
                break

        assert [5, 1, 3, 2, 7, 0, 4, 6] == nodes

    def test_a_page_goes_on_with_what_was_written_since(self, rig: Rig) -> None:
        """Find later records behind the last page."""
        hand = rig.start()
        for number in range(3):
            hand.must(*step(number))
        first = rig.backend.results.steps(hand.run_id, limit=2)

        hand.must(*step(3))
        second = rig.backend.results.steps(hand.run_id, after=first.next, limit=2)

        assert [0, 1] == [row.record.node for row in first.rows]
        assert [2, 3] == [row.record.node for row in second.rows]

    def test_the_history_of_an_unknown_run_is_empty(self, rig: Rig) -> None:
        """Raise nothing."""
        page = rig.backend.results.steps(UNKNOWN)

        assert ([], None) == (page.rows, page.next)

    def test_a_history_shows_failures_with_their_tracebacks(self, rig: Rig) -> None:
        """Keep the whole error in the record."""
        hand = rig.start()
        hand.must(*give_up(0))

        assert [ERROR] == [row.record.error for row in rig.history(hand.run_id)]

    def test_what_a_final_run_recorded_stays_readable(self, rig: Rig) -> None:
        """Read payloads, scopes and records of a completed run."""
        hand = rig.start()
        seq = rig.backend.signals.send(hand.instance_id, "go", b"signal")
        hand.must(*step(0))
        hand.must(Bind(5, (), StepRef(0)), move(1), AwaitSignal("go", None))
        last = rig.take()
        last.must(succeeded(1, source=SignalRef(seq)), Finish(SignalRef(seq)))

        assert [b"in", b"out", b"signal"] == rig.payloads(last, INPUT, StepRef(0), SignalRef(seq))
        assert StepRef(0) == rig.backend.results.scope(hand.run_id, 5, ())
        assert 2 == len(rig.history(hand.run_id))


class ResultConformance(PayloadCases, BranchCases, RecordCases):
    """Test a ``ResultStore``."""
