"""What requests do to the cursors: hold them, and give them back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sayiir_core.errors import InstanceStateError
from sayiir_core.snapshot.answer import COMMITTED, HELD
from sayiir_core.snapshot.effect import AwaitSignal, Finish, Retry, Sleep
from sayiir_core.snapshot.head import CursorState, InstanceState
from sayiir_core.snapshot.reference import INPUT, StepRef
from sayiir_core.snapshot.status import StatusWord, status_of
from sayiir_core.workflow.node import END
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import ERROR, failed, give_up, move, spawn, step, succeeded
from sayiir_pytest.conformance.suite import Conformance


class CancelCases(Conformance):
    """Test what a cancel does to the cursors."""

    def test_queued_and_parked_work_is_cancelled_at_once(self, rig: Rig) -> None:
        """Hold every cursor, whatever it waits for, and end the run now."""
        root, _ = everything(rig)
        rig.clock.advance(1)

        head = rig.backend.control.cancel(root.instance_id, reason="why", by="who")

        assert (InstanceState.CANCELLED, "why", "who", rig.clock.now()) == (
            head.header.state,
            head.header.reason,
            head.header.requested_by,
            head.header.finished_at,
        )
        assert all(cursor.held for cursor in rig.load(root.instance_id).cursors.values())
        rig.clock.advance(timedelta(days=1))
        assert [] == rig.claim(rig.session())

    def test_a_running_body_finishes_and_nothing_follows(self, rig: Rig) -> None:
        """Store the result of what ran; the status is final when it is stored."""
        hand = rig.start()
        head = rig.backend.control.cancel(hand.instance_id, reason=None, by=None)
        while_running = status_of(head)

        answer = hand.commit(*step(0, output=b"kept"))

        assert HELD == answer
        assert [StatusWord.IN_PROGRESS, StatusWord.CANCELLED] == [
            while_running,
            status_of(rig.load(hand.instance_id)),
        ]
        assert [b"kept"] == rig.payloads(hand, StepRef(0))
        assert [] == rig.claim(rig.session())


class PauseCases(Conformance):
    """Test what a pause does to the cursors, and what an unpause gives back."""

    def test_a_pause_holds_everything_and_an_unpause_gives_it_back(self, rig: Rig) -> None:
        """Show the same cursors before the pause and after it."""
        root, _ = everything(rig)
        before = rig.load(root.instance_id)

        paused = rig.backend.control.pause(root.instance_id, reason="why", by="who")
        unpaused = rig.backend.control.unpause(root.instance_id)

        assert ("why", "who") == (paused.header.reason, paused.header.requested_by)
        assert all(cursor.held for cursor in paused.cursors.values())
        assert (None, None) == (unpaused.header.reason, unpaused.header.requested_by)
        assert (before.header, before.cursors) == (unpaused.header, unpaused.cursors)

    def test_a_pause_stops_no_timer(self, rig: Rig) -> None:
        """Claim a sleeper that fell due during the pause right after it."""
        hand = rig.start()
        hand.must(move(1), Sleep(rig.clock.now() + timedelta(seconds=10)))
        rig.backend.control.pause(hand.instance_id, reason=None, by=None)
        rig.clock.advance(11)
        while_paused = rig.claim(rig.session())

        rig.backend.control.unpause(hand.instance_id)

        assert [] == while_paused
        assert CursorState.SLEEPING is rig.take().claim.cursor.state

    def test_a_pause_that_is_withdrawn_in_time_changes_nothing(self, rig: Rig) -> None:
        """Let the body that runs keep its cursor if the pause is over before its commit."""
        hand = rig.start()
        rig.backend.control.pause(hand.instance_id, reason=None, by=None)
        rig.backend.control.unpause(hand.instance_id)

        assert COMMITTED == hand.commit(*step(0))
        assert COMMITTED == hand.commit(*step(1))

    def test_a_finish_that_a_pause_stopped_can_be_repeated_after_it(self, rig: Rig) -> None:
        """Claim the cursor behind the last node, and complete the run then."""
        hand = rig.start()
        rig.backend.control.pause(hand.instance_id, reason=None, by=None)
        hand.must(succeeded(0), Finish(StepRef(0)))

        rig.backend.control.unpause(hand.instance_id)
        last = rig.take()
        last.must(Finish(last.claim.cursor.input))

        assert END == last.claim.cursor.node
        header = rig.load(hand.instance_id).header
        assert (InstanceState.COMPLETED, StepRef(0)) == (header.state, header.output)

    def test_an_unpaused_owned_run_stays_with_its_owner(self, rig: Rig) -> None:
        """Give nothing to the pools."""
        session = rig.session()
        hand = rig.start_owned(session)
        rig.backend.control.pause(hand.instance_id, reason=None, by=None)
        hand.must(*step())

        rig.backend.control.unpause(hand.instance_id)

        assert [] == rig.claim(rig.session())
        assert 1 == len(rig.claim_owned(session, hand.instance_id))


class RetryCases(Conformance):
    """Test what reviving a failed instance does."""

    def test_a_retry_revives_every_cursor(self, rig: Rig) -> None:
        """Clear the error and the end, and release the failed and the held cursors."""
        root, failing = everything(rig)
        failing.commit(*give_up(10, attempt=1))
        rig.clock.advance(1)

        head = rig.backend.control.retry(root.instance_id)

        assert (InstanceState.RUNNING, None, None) == (
            head.header.state,
            head.header.error,
            head.header.finished_at,
        )
        assert not any(cursor.held for cursor in head.cursors.values())
        again = rig.take()
        assert (failing.key, 1, 1) == (
            again.key,
            again.claim.cursor.attempt,
            again.claim.cursor.fresh_from,
        )

    def test_stored_attempts_go_on_after_a_retry(self, rig: Rig) -> None:
        """Append the next attempt to the record of the first ones."""
        hand = rig.start()
        hand.must(*give_up(0, attempt=1))
        rig.backend.control.retry(hand.instance_id)

        rig.take().must(succeeded(0, attempt=2), move(1))

        records = [row.record for row in rig.history(hand.run_id)]
        assert [(1, ERROR), (2, None)] == [(it.attempt, it.error) for it in records]

    def test_a_failed_run_that_still_executes_cannot_be_retried(self, rig: Rig) -> None:
        """Wait for the siblings that run on."""
        root = rig.start()
        root.must(move(9), spawn(1, 2), keep=False)
        failing, running = rig.take_all()
        failing.commit(*give_up(10))

        with pytest.raises(InstanceStateError):
            rig.backend.control.retry(root.instance_id)
        running.commit(*step(20))
        head = rig.backend.control.retry(root.instance_id)

        assert InstanceState.RUNNING is head.header.state

    def test_a_retried_run_can_fail_and_complete_again(self, rig: Rig) -> None:
        """Store the second failure's error, and the output in the end."""
        hand = rig.start()
        for attempt in (1, 2):
            hand.must(*give_up(0, attempt=attempt))
            assert ERROR == rig.load(hand.instance_id).header.error
            rig.backend.control.retry(hand.instance_id)
            hand = rig.take()

        hand.must(succeeded(0, attempt=3), Finish(INPUT))

        header = rig.load(hand.instance_id).header
        assert (InstanceState.COMPLETED, None, INPUT) == (
            header.state,
            header.error,
            header.output,
        )


def everything(rig: Rig) -> tuple[Hand, Hand]:
    """Make a run with a cursor in every state; return its root and the one that executes."""
    root = rig.start()
    root.must(move(9), spawn(1, 2, 3, 4, 5), keep=False)
    running, sleeping, waiting, retrying, signalled = rig.take_all()
    later = rig.clock.now() + timedelta(minutes=1)
    sleeping.must(move(21), Sleep(later))
    waiting.must(move(31), AwaitSignal("never", timedelta(minutes=2)))
    retrying.must(failed(40), Retry(later))
    rig.backend.signals.send(root.instance_id, "go", b"")
    signalled.must(move(51), AwaitSignal("go", None))
    return root, running
