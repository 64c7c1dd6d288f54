"""How records are read by key and by page."""

from __future__ import annotations

import pytest

from sayiir_core.snapshot.effect import AwaitSignal, Bind, Finish, Retry
from sayiir_core.snapshot.reference import INPUT, SignalRef, StepRef
from sayiir_core.snapshot.step import StepStatus
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import (
    ERROR,
    UNKNOWN_RUN,
    failed,
    give_up,
    move,
    step,
    succeeded,
)
from sayiir_pytest.conformance.suite import Conformance


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
        assert rig.backend.results.step(UNKNOWN_RUN, 0, (2,)) is None

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
        assert last(UNKNOWN_RUN, 0, ()) is None

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
        page = rig.backend.results.steps(UNKNOWN_RUN)

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
