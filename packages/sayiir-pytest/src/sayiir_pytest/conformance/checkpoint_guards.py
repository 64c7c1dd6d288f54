"""What a guard must do: refuse the late, recognise the repeated."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from sayiir_core.ids import RunId
from sayiir_core.snapshot.answer import COMMITTED, HELD, REPLAYED, Answer, Lost, LostReason
from sayiir_core.snapshot.effect import (
    Arrive,
    AwaitSignal,
    Bind,
    Effect,
    Finish,
    Retry,
    Sleep,
    Start,
)
from sayiir_core.snapshot.head import CursorKey
from sayiir_core.snapshot.reference import INPUT, StepRef
from sayiir_pytest.clock import START
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import TTL, Rig
from sayiir_pytest.conformance.sample import (
    NOBODY,
    failed,
    give_up,
    move,
    spawn,
    step,
    succeeded,
)
from sayiir_pytest.conformance.suite import Conformance

LATER = START + timedelta(hours=1)

EVERY_KIND: dict[str, tuple[Effect, ...]] = {
    "record and move": step(0),
    "start": (Start(),),
    "retry": (failed(0), Retry(LATER)),
    "fail": give_up(0),
    "sleep": (succeeded(0), move(1), Sleep(LATER)),
    "await": (succeeded(0), move(1), AwaitSignal("go", None)),
    "spawn": (succeeded(0), move(9), spawn(1, 2)),
    "bind": (succeeded(0), Bind(5, (), StepRef(0)), move(1)),
    "finish": (succeeded(0), Finish(StepRef(0))),
}
"""One checkpoint of every kind that a root cursor can have."""

every_kind = pytest.mark.parametrize("kind", list(EVERY_KIND))


class GuardCases(Conformance):
    """Test the guard of a checkpoint."""

    @every_kind
    @pytest.mark.parametrize("keep", [True, False])
    def test_a_repeated_checkpoint_is_recognised(self, rig: Rig, kind: str, keep: bool) -> None:
        """Answer ``replayed`` to a checkpoint whose answer was lost, and write nothing again."""
        hand = rig.start()
        checkpoint = hand.checkpoint(*EVERY_KIND[kind], keep=keep)
        first = hand.send(checkpoint)
        before = sight(rig, hand)

        answers = [hand.send(checkpoint) for _ in range(2)]

        assert (HELD if kind == "fail" else COMMITTED) == first
        assert [REPLAYED, REPLAYED] == answers
        assert before == sight(rig, hand)

    def test_a_repeated_arrival_counts_once(self, rig: Rig) -> None:
        """Answer ``replayed`` to a branch's end that is told twice, and count it down once."""
        rig.start().must(move(9), spawn(1, 2), keep=False)
        first, _ = rig.take_all()
        arrival = first.checkpoint(Arrive(INPUT, CursorKey(0, ())))
        first.send(arrival)

        answers = [first.send(arrival), *rig.backend.checkpoints.commit([arrival, arrival])]

        assert [REPLAYED] * 3 == answers
        assert 1 == rig.root(first.instance_id).pending

    def test_a_checkpoint_twice_in_one_batch_is_written_once(self, rig: Rig) -> None:
        """Recognise a repetition within a batch."""
        hand = rig.start()
        checkpoint = hand.checkpoint(*step())

        answers = rig.backend.checkpoints.commit([checkpoint, checkpoint])

        assert [COMMITTED, REPLAYED] == answers
        assert 1 == len(rig.history(hand.run_id))

    def test_only_the_latest_checkpoint_is_a_repetition(self, rig: Rig) -> None:
        """Answer ``stale`` to a guard that is two commits old, or from the future."""
        hand = rig.start()
        oldest = hand.next(*step(0))
        for checkpoint in (oldest, hand.next(*step(1))):
            hand.send(checkpoint)
        before = sight(rig, hand)

        answers = [hand.send(oldest), hand.under(seq=7).commit(*step(2))]

        assert [Lost(LostReason.STALE)] * 2 == answers
        assert before == sight(rig, hand)

    @every_kind
    def test_a_guard_under_an_old_fence_changes_nothing(self, rig: Rig, kind: str) -> None:
        """Answer ``taken`` to a holder whose cursor was claimed again."""
        old = rig.start()
        rig.backend.claims.release([old.lease])
        new = rig.take()
        before = sight(rig, new)

        answers = [old.commit(*EVERY_KIND[kind]), new.under(fence=9).commit(*EVERY_KIND[kind])]

        assert [Lost(LostReason.TAKEN)] * 2 == answers
        assert before == sight(rig, new)

    @every_kind
    def test_a_guard_of_another_session_changes_nothing(self, rig: Rig, kind: str) -> None:
        """Answer ``taken`` to a live session that does not hold the cursor."""
        hand = rig.start()
        stranger = rig.session()
        before = sight(rig, hand)

        answer = hand.under(session=stranger).commit(*EVERY_KIND[kind])

        assert Lost(LostReason.TAKEN) == answer
        assert before == sight(rig, hand)

    def test_a_released_cursor_cannot_be_committed(self, rig: Rig) -> None:
        """Answer ``taken`` after the lease was given back, even before the next claim."""
        hand = rig.start()
        rig.backend.claims.release([hand.lease])
        before = sight(rig, hand)

        answer = hand.commit(*step())

        assert Lost(LostReason.TAKEN) == answer
        assert before == sight(rig, hand)

    def test_a_checkpoint_without_keep_gives_the_cursor_up(self, rig: Rig) -> None:
        """Answer ``taken`` to whatever follows a checkpoint that released the cursor."""
        hand = rig.start()
        hand.must(*step(0), keep=False)

        assert Lost(LostReason.TAKEN) == hand.commit(*step(1))

    def test_a_guard_of_an_unknown_run_changes_nothing(self, rig: Rig) -> None:
        """Answer ``replaced`` where the id belongs to another run."""
        hand = rig.start()
        before = sight(rig, hand)

        answer = hand.under(run_id=RunId(str(uuid.uuid4()))).commit(*step())

        assert Lost(LostReason.REPLACED) == answer
        assert before == sight(rig, hand)

    def test_a_guard_of_a_cursor_that_is_gone_changes_nothing(self, rig: Rig) -> None:
        """Answer ``gone`` after the branch arrived or the run was completed."""
        root = rig.start()
        root.must(move(9), spawn(1), keep=False)
        branch = rig.take()
        branch.must(*step(10))
        branch.arrive()
        joined = rig.take()
        joined.must(*step(9))
        joined.must(Finish(INPUT))
        before = sight(rig, root)

        answers: list[Answer] = []
        for hand in (branch, joined):
            answers.extend((hand.under(seq=0).commit(*step()), hand.commit(*step())))
        answers.append(branch.under(fence=8).arrive())

        assert [Lost(LostReason.GONE)] * 5 == answers
        assert before == sight(rig, root)

    @every_kind
    def test_an_ended_session_writes_nothing(self, rig: Rig, kind: str) -> None:
        """Answer ``Lost`` to a session that ended, was reaped, or never was."""
        ended, reaped = rig.session(), rig.session()
        hands = [rig.start(ended), rig.start(reaped)]
        reaper = rig.steady_session()
        rig.backend.sessions.end(ended)
        assert reaped in rig.backend.sessions.reap(reaper)
        before = [sight(rig, hand) for hand in hands]

        answers = [hand.commit(*EVERY_KIND[kind]) for hand in hands]
        answers.append(hands[0].under(session=NOBODY).commit(*EVERY_KIND[kind]))

        assert [Lost] * 3 == [type(answer) for answer in answers]
        assert before == [sight(rig, hand) for hand in hands]

    def test_an_expired_session_that_nobody_reaped_still_writes(self, rig: Rig) -> None:
        """End no lease by time alone."""
        hand = rig.start()
        rig.clock.advance(TTL * 10)

        assert COMMITTED == hand.commit(*step())

    def test_a_repetition_is_recognised_after_its_session_ended(self, rig: Rig) -> None:
        """Answer ``replayed`` to what was written before the session was ended."""
        session = rig.session()
        hand = rig.start(session)
        checkpoint = hand.checkpoint(*step())
        hand.send(checkpoint)
        rig.backend.sessions.end(session)

        assert REPLAYED == hand.send(checkpoint)

    def test_a_repetition_is_recognised_while_held(self, rig: Rig) -> None:
        """Answer ``replayed``, not ``held`` anew, to a checkpoint that a pause released."""
        hand = rig.start()
        rig.backend.control.pause(hand.instance_id, reason=None, by=None)
        checkpoint = hand.checkpoint(*step())

        answers = [hand.send(checkpoint), hand.send(checkpoint)]

        assert [HELD, REPLAYED] == answers
        assert 1 == len(rig.history(hand.run_id))

    def test_a_fence_grows_at_every_claim(self, rig: Rig) -> None:
        """Never use a fence twice for one cursor, and start no count of commits anew."""
        hands: list[Hand] = []
        hands.append(rig.start())
        for node in range(3):
            hands[-1].must(*step(node), keep=False)
            hands.append(rig.take())

        fences = [hand.lease.fence for hand in hands]
        assert sorted(set(fences)) == fences
        assert [0, 1, 2, 3] == [hand.claim.cursor.seq for hand in hands]


def sight(rig: Rig, hand: Hand) -> tuple[object, ...]:
    """Return all that a commit could change: header, cursors, records and signals."""
    head = rig.load(hand.instance_id)
    pending = rig.backend.signals.pending(hand.instance_id)
    scopes = [rig.backend.results.scope(hand.run_id, scope, ()) for scope in range(8)]
    return head.header, head.cursors, rig.history(hand.run_id), pending, scopes
