"""What a store of results must do: read back exactly what runs recorded."""

from __future__ import annotations

from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.effect import Arrive, Bind, Retry
from sayiir_core.snapshot.head import CursorKey
from sayiir_core.snapshot.reference import INPUT, JoinRef, Leaf, Ref, RoutedRef, SignalRef, StepRef
from sayiir_pytest.conformance.result_records import RecordCases
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import UNKNOWN_RUN, failed, move, spawn, step, succeeded
from sayiir_pytest.conformance.suite import Conformance


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
            InstanceId(rig.name()), UNKNOWN_RUN, [INPUT, StepRef(0)]
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
        assert [None] * 4 == rig.backend.results.branches(UNKNOWN_RUN, JoinRef(1, 4))
        assert rig.backend.results.scope(UNKNOWN_RUN, 1, ()) is None

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


class ResultConformance(PayloadCases, BranchCases, RecordCases):
    """Test a ``ResultStore``."""
