"""What a store of claims must do: hand each due cursor to one pool, best first."""

from __future__ import annotations

from sayiir_core.snapshot.effect import AwaitSignal
from sayiir_core.snapshot.reference import INPUT, JoinRef, Ref, RoutedRef, SignalRef, StepRef
from sayiir_pytest.conformance.claim_avoidance import AvoidanceCases
from sayiir_pytest.conformance.claim_backlog import BacklogCases
from sayiir_pytest.conformance.claim_due import NextDueCases
from sayiir_pytest.conformance.claim_order import OrderCases
from sayiir_pytest.conformance.claim_release import ReleaseCases
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import move, step, succeeded
from sayiir_pytest.conformance.suite import Conformance

SMALL = 64 * 1024
"""The largest payload that a claim carries."""


class InputCases(Conformance):
    """Test the payloads that come with a claim."""

    def test_small_inputs_come_with_the_claim(self, rig: Rig) -> None:
        """Send the run's input, a step's output or a signal's payload, whichever is named."""
        rig.create(rig.new(value=b"the input"))
        hand = rig.take()
        first = hand.claim.inputs
        hand.must(*step(0, output=b"an output"), keep=False)
        second = (hand := rig.take()).claim.inputs
        seq = rig.backend.signals.send(hand.instance_id, "go", b"a signal")
        hand.must(move(2, to=SignalRef(seq)), AwaitSignal("go", None))
        third = rig.take().claim.inputs

        assert {INPUT: b"the input"} == first
        assert {StepRef(0): b"an output"} == second
        assert {SignalRef(seq): b"a signal"} == third

    def test_an_input_up_to_the_limit_is_sent_and_a_larger_one_is_left(self, rig: Rig) -> None:
        """Send 64 KiB; leave more to ``ResultStore.payloads``."""
        rig.create(rig.new(value=bytes(SMALL)))
        exact = rig.take().claim.inputs
        rig.create(rig.new(value=bytes(SMALL + 1)))
        hand = rig.take()

        assert {INPUT: bytes(SMALL)} == exact
        assert {} == hand.claim.inputs
        assert [bytes(SMALL + 1)] == rig.payloads(hand, INPUT)

    def test_a_claim_carries_four_mebibytes_at_most(self, rig: Rig) -> None:
        """Claim every cursor, but leave some inputs out of an answer that would be too large."""
        rig.backend.instances.create([rig.new(value=bytes(SMALL)) for _ in range(70)])

        claims = rig.claim(rig.session())

        sent = sum(len(payload) for claim in claims for payload in claim.inputs.values())
        assert 70 == len(claims)
        assert 0 < sent <= 4 * 1024 * 1024

    def test_composed_inputs_are_left_to_be_read(self, rig: Rig) -> None:
        """Send nothing for a join or a route, whose values are not one payload."""
        hand = rig.start()
        composed: list[Ref] = [JoinRef(1, 2), RoutedRef(StepRef(0), StepRef(0))]
        for node, ref in enumerate(composed):
            hand.must(succeeded(node), move(1, to=ref), keep=False)

            hand = rig.take()

            assert {} == hand.claim.inputs
            assert ref == hand.claim.cursor.input


class ClaimConformance(
    OrderCases, AvoidanceCases, BacklogCases, NextDueCases, InputCases, ReleaseCases
):
    """Test a ``ClaimStore``."""
