"""What a checkpoint must keep: references, positions, records, scopes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sayiir_core.snapshot.effect import (
    Bind,
    Effect,
    Fail,
    Finish,
)
from sayiir_core.snapshot.reference import INPUT, JoinRef, Ref, RoutedRef, SignalRef, StepRef
from sayiir_core.snapshot.step import ErrorRecord, Verdict
from sayiir_pytest.clock import START
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import ERROR, failed, move, succeeded
from sayiir_pytest.conformance.suite import Conformance

LATER = START + timedelta(hours=1, microseconds=1)


class ValueCases(Conformance):
    """Test that what a checkpoint carries is kept exactly."""

    def test_a_bound_scope_is_readable(self, rig: Rig) -> None:
        """Keep the value of a finished scope by scope and index."""
        hand = rig.start()
        value = RoutedRef(StepRef(3, (1,)), StepRef(4, (1,)))

        hand.must(succeeded(0), Bind(7, (1,), value), Bind(8, (), INPUT), move(1))

        scope = rig.backend.results.scope
        assert [value, INPUT, None, None] == [
            scope(hand.run_id, 7, (1,)),
            scope(hand.run_id, 8, ()),
            scope(hand.run_id, 7, ()),
            scope(hand.run_id, 7, (2,)),
        ]

    @pytest.mark.parametrize(
        "value",
        [
            INPUT,
            StepRef(12, (0, 3)),
            SignalRef(4),
            JoinRef(3, 2, (5,)),
            RoutedRef(StepRef(5), RoutedRef(StepRef(6, (2**32 - 1,)), JoinRef(1, 10_000))),
        ],
    )
    def test_every_form_of_reference_is_kept(self, rig: Rig, value: Ref) -> None:
        """Keep a reference exactly, as a cursor's input and as a run's output."""
        hand = rig.start()

        hand.must(succeeded(0), move(1, to=value))
        moved = hand.cursor().input
        hand.must(Finish(value))

        assert value == moved
        assert value == rig.load(hand.instance_id).header.output

    def test_a_position_deep_in_loops_is_kept(self, rig: Rig) -> None:
        """Keep turns of any depth and size."""
        hand = rig.start()
        turns = (0, 2**32 - 1, 255, 256, 65536)

        hand.must(succeeded(0), move(1, turns=turns))
        hand.must(succeeded(1, turns=turns, output=b"deep"), move(2))

        assert [turns] == [row.record.turns for row in rig.history(hand.run_id)[1:]]
        assert [b"deep"] == rig.payloads(hand, StepRef(1, turns))

    @pytest.mark.parametrize("verdict", [*Verdict, None])
    def test_every_field_of_a_record_is_kept(self, rig: Rig, verdict: Verdict | None) -> None:
        """Keep verdict, source, an empty output, and an error without a traceback."""
        hand = rig.start()
        rich = succeeded(0, output=b"", at=LATER)
        rich.step.verdict = verdict
        sourced = succeeded(1, source=SignalRef(3))
        plain = failed(2, error=ErrorRecord(path="a/b", type="E", message=""))
        effects: list[tuple[Effect, ...]] = [
            (rich, move(1)),
            (sourced, move(2)),
            (plain, Fail(ERROR)),
        ]

        for each in effects:
            hand.must(*each)

        records = [row.record for row in rig.history(hand.run_id)]
        assert [rich.step, sourced.step, plain.step] == records
