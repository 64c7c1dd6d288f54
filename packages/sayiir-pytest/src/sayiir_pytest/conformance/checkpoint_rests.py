"""What a checkpoint must do to one cursor: record, move, wait, fail, finish."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sayiir_core.snapshot.answer import COMMITTED, HELD
from sayiir_core.snapshot.effect import (
    AwaitSignal,
    Finish,
    Retry,
    Sleep,
    Start,
)
from sayiir_core.snapshot.head import CursorState, InstanceState
from sayiir_core.snapshot.reference import StepRef
from sayiir_core.snapshot.step import StepRow, StepStatus
from sayiir_core.workflow.node import END
from sayiir_pytest.clock import START
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import ERROR, failed, give_up, move, step, succeeded
from sayiir_pytest.conformance.suite import Conformance

LATER = START + timedelta(hours=1, microseconds=1)


class RestCases(Conformance):
    """Test the effects on the guarded cursor."""

    def test_a_step_is_recorded_and_the_cursor_moved(self, rig: Rig) -> None:
        """Store the record under its guard, and the new position, ready at once."""
        hand = rig.start()
        rig.clock.advance(3)
        record = succeeded(0, output=b"\x00\xff", at=rig.clock.now())

        answer = hand.commit(record, move(1, group="gpu", priority=5))

        assert COMMITTED == answer
        row = StepRow(record=record.step, session=hand.lease.session, fence=hand.lease.fence, seq=0)
        assert [row] == rig.history(hand.run_id)
        cursor = hand.cursor()
        assert (1, (), StepRef(0), "gpu", 5) == (
            cursor.node,
            cursor.turns,
            cursor.input,
            cursor.group,
            cursor.priority,
        )
        assert (CursorState.READY, rig.clock.now(), hand.lease.session, 1) == (
            cursor.state,
            cursor.available_at,
            cursor.session,
            cursor.seq,
        )

    def test_without_keep_the_cursor_is_claimable_at_once(self, rig: Rig) -> None:
        """Release the cursor in the same write."""
        hand = rig.start()

        answer = hand.commit(*step(), keep=False)

        assert COMMITTED == answer
        assert hand.cursor().session is None
        assert hand.key == rig.take().key

    def test_a_kept_cursor_stays_with_its_session(self, rig: Rig) -> None:
        """Give a cursor to nobody else while its holder goes on."""
        hand = rig.start()

        hand.must(*step(0))

        assert [] == rig.claim(rig.session())
        assert COMMITTED == hand.commit(*step(1))

    def test_a_retry_waits_for_its_instant_and_counts_the_attempt(self, rig: Rig) -> None:
        """Release the cursor until the back-off is over; a move counts afresh."""
        hand = rig.start()

        answer = hand.commit(failed(0, attempt=1), Retry(LATER))

        assert COMMITTED == answer
        cursor = hand.cursor()
        assert (CursorState.READY, LATER, 1, None, 0) == (
            cursor.state,
            cursor.available_at,
            cursor.attempt,
            cursor.session,
            cursor.node,
        )
        rig.clock.advance_to(LATER - timedelta(microseconds=1))
        assert [] == rig.claim(rig.session())
        rig.clock.advance_to(LATER)
        again = rig.take()
        assert 1 == again.claim.cursor.attempt
        again.must(succeeded(0, attempt=2), move(1))
        assert 0 == again.cursor().attempt

    @pytest.mark.parametrize("status", [StepStatus.FAILED, StepStatus.TIMED_OUT])
    def test_each_attempt_is_kept_with_its_error(self, rig: Rig, status: StepStatus) -> None:
        """Append records; the succeeded one answers for the step."""
        hand = rig.start()
        for attempt in (1, 2):
            hand.must(failed(0, attempt=attempt, status=status), Retry(rig.clock.now()))
            hand = rig.take()
        hand.must(succeeded(0, attempt=3), move(1))

        records = [row.record for row in rig.history(hand.run_id)]

        assert [(1, status), (2, status), (3, StepStatus.SUCCEEDED)] == [
            (record.attempt, record.status) for record in records
        ]
        assert [ERROR, ERROR, None] == [record.error for record in records]

    def test_a_failure_fails_the_run_with_its_error(self, rig: Rig) -> None:
        """Store the whole error in the header, hold the cursor, and end the run now."""
        hand = rig.start()
        rig.clock.advance(1)

        answer = hand.commit(*give_up(0, attempt=1))

        assert HELD == answer
        head = rig.load(hand.instance_id)
        assert (InstanceState.FAILED, ERROR, rig.clock.now()) == (
            head.header.state,
            head.header.error,
            head.header.finished_at,
        )
        cursor = head.cursors[hand.key]
        assert (True, None, 1, 1, 0) == (
            cursor.held,
            cursor.session,
            cursor.attempt,
            cursor.fresh_from,
            cursor.node,
        )
        assert [] == rig.claim(rig.session())

    def test_a_sleep_waits_for_its_instant(self, rig: Rig) -> None:
        """Rest until due, to the microsecond, then be claimable as a sleeper."""
        hand = rig.start()

        answer = hand.commit(succeeded(0), move(1), Sleep(LATER))

        assert COMMITTED == answer
        cursor = hand.cursor()
        assert (CursorState.SLEEPING, LATER, None, 1) == (
            cursor.state,
            cursor.available_at,
            cursor.session,
            cursor.node,
        )
        rig.clock.advance_to(LATER - timedelta(microseconds=1))
        assert [] == rig.claim(rig.session())
        rig.clock.advance_to(LATER)
        assert CursorState.SLEEPING is rig.take().claim.cursor.state

    def test_a_wait_without_a_timeout_is_never_due(self, rig: Rig) -> None:
        """Rest until a signal comes."""
        hand = rig.start()

        hand.must(succeeded(0), move(1), AwaitSignal("go", None))
        rig.clock.advance(timedelta(days=1000))

        cursor = hand.cursor()
        assert (CursorState.AWAITING, "go", None, None) == (
            cursor.state,
            cursor.signal,
            cursor.available_at,
            cursor.session,
        )
        assert [] == rig.claim(rig.session())

    def test_a_deadline_is_set_by_the_clock_of_the_store(self, rig: Rig) -> None:
        """Count a timeout from the commit, and let the cursor be claimed from the deadline on."""
        hand = rig.start()
        rig.clock.advance(10)
        timeout = timedelta(seconds=5, microseconds=1)

        hand.must(succeeded(0), move(1), AwaitSignal("go", timeout))

        deadline = rig.clock.now() + timeout
        assert deadline == hand.cursor().available_at
        rig.clock.advance_to(deadline - timedelta(microseconds=1))
        assert [] == rig.claim(rig.session())
        rig.clock.advance_to(deadline)
        assert CursorState.AWAITING is rig.take().claim.cursor.state

    def test_a_wait_finds_the_signal_that_came_before(self, rig: Rig) -> None:
        """Deliver at the park, consume the signal, and release the cursor as signalled."""
        hand = rig.start()
        other = rig.backend.signals.send(hand.instance_id, "other", b"no")
        first = rig.backend.signals.send(hand.instance_id, "go", b"1")
        second = rig.backend.signals.send(hand.instance_id, "go", b"2")

        hand.must(succeeded(0), move(1), AwaitSignal("go", timedelta(seconds=1)))

        cursor = hand.cursor()
        assert (CursorState.SIGNALLED, first, None, rig.clock.now(), None) == (
            cursor.state,
            cursor.delivered,
            cursor.signal,
            cursor.available_at,
            cursor.session,
        )
        pending = rig.backend.signals.pending(hand.instance_id)
        assert [other, second] == [signal.seq for signal in pending]

    def test_a_finish_completes_the_run(self, rig: Rig) -> None:
        """Store the output's reference and the instant, and remove the cursor."""
        hand = rig.start()
        rig.clock.advance(1)

        answer = hand.commit(succeeded(0), Finish(StepRef(0)))

        assert COMMITTED == answer
        head = rig.load(hand.instance_id)
        assert (InstanceState.COMPLETED, StepRef(0), rig.clock.now(), {}) == (
            head.header.state,
            head.header.output,
            head.header.finished_at,
            head.cursors,
        )

    @pytest.mark.parametrize("request_", ["pause", "cancel"])
    def test_a_finish_under_a_hold_waits_behind_the_last_node(
        self, rig: Rig, request_: str
    ) -> None:
        """Complete nothing while held: keep the value in a held cursor at the end."""
        hand = rig.start()
        getattr(rig.backend.control, request_)(hand.instance_id, reason=None, by=None)

        answer = hand.commit(succeeded(0), Finish(StepRef(0)))

        assert HELD == answer
        cursor = hand.cursor()
        assert (END, (), StepRef(0), True, None) == (
            cursor.node,
            cursor.turns,
            cursor.input,
            cursor.held,
            cursor.session,
        )
        assert rig.load(hand.instance_id).header.output is None
        assert 1 == len(rig.history(hand.run_id))

    def test_a_start_marks_the_body_as_started(self, rig: Rig) -> None:
        """Store the instant by the store's clock; the next move clears it."""
        hand = rig.start()
        rig.clock.advance(2)

        answer = hand.commit(Start())
        started = hand.cursor().started_at
        hand.must(*step())

        assert COMMITTED == answer
        assert rig.clock.now() == started
        assert hand.cursor().started_at is None

    @pytest.mark.parametrize("request_", ["pause", "cancel"])
    def test_a_commit_under_a_hold_is_stored_and_releases_the_cursor(
        self, rig: Rig, request_: str
    ) -> None:
        """Record what ran, move on, and answer ``held`` although the writer would keep it."""
        for effects in (step(), (failed(0), Retry(LATER)), (Start(),)):
            hand = rig.start()
            getattr(rig.backend.control, request_)(hand.instance_id, reason="r", by="b")

            answer = hand.commit(*effects)

            assert HELD == answer
            assert (True, None, 1) == (
                hand.cursor().held,
                hand.cursor().session,
                hand.cursor().seq,
            )
