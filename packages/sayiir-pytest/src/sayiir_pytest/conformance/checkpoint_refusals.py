"""What a checkpoint means that has a row which the store can never hold."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sayiir_core.snapshot.answer import (
    COMMITTED,
    HELD,
    Answer,
    Committed,
    Lost,
    LostReason,
    Refused,
)
from sayiir_core.snapshot.effect import (
    Arrive,
    AwaitSignal,
    Bind,
    Checkpoint,
    Effect,
    Fail,
    Finish,
    Record,
    Retry,
    Sleep,
    Start,
)
from sayiir_core.snapshot.reference import StepRef
from sayiir_pytest.clock import START
from sayiir_pytest.conformance.checkpoint_guards import sight
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import (
    ROOT_KEY,
    failed,
    give_up,
    move,
    spawn,
    step,
    succeeded,
)
from sayiir_pytest.conformance.suite import Conformance

LATER = START + timedelta(hours=1)

FOLLOWING: dict[str, tuple[Effect, ...]] = {
    "move": (move(1),),
    "bind": (Bind(5, (), StepRef(0)), move(1)),
    "sleep": (move(1), Sleep(LATER)),
    "await": (move(1), AwaitSignal("go", None)),
    "spawn": (move(9), spawn(1, 2)),
    "finish": (Finish(StepRef(0)),),
    "arrive": (Arrive(StepRef(0), ROOT_KEY),),
}
"""What may follow the record of an output; an arrival follows in a branch."""

every_following = pytest.mark.parametrize("following", list(FOLLOWING))


class RefusalCases(Conformance):
    """Test ``Refused``."""

    @every_following
    @pytest.mark.parametrize("keep", [True, False])
    def test_a_row_that_the_store_cannot_hold_is_refused_and_changes_nothing(
        self, rig: Rig, following: str, keep: bool
    ) -> None:
        """Answer why; the lease still holds, under the same count of commits."""
        large = rig.too_large()
        hand = _start(rig, following)
        rig.backend.signals.send(hand.instance_id, "go", b"")
        before = sight(rig, hand)

        answer = hand.commit(succeeded(0, output=large), *FOLLOWING[following], keep=keep)

        assert isinstance(answer, Refused)
        assert answer.why
        assert before == sight(rig, hand)
        assert COMMITTED == hand.commit(*step(0))

    @every_following
    def test_a_refused_row_fails_alone_in_a_batch_of_all_kinds(
        self, rig: Rig, following: str
    ) -> None:
        """Store everything else of the batch, before it and behind it."""
        large = rig.too_large()
        bad = _start(rig, following)
        before = sight(rig, bad)
        refused = bad.checkpoint(succeeded(0, output=large), *FOLLOWING[following])
        good, expected = _all_kinds(rig)
        middle = len(good) // 2

        answers = rig.backend.checkpoints.commit([*good[:middle], refused, *good[middle:]])

        assert [Refused] == [type(it) for it in answers if not isinstance(it, Committed)]
        assert isinstance(answers.pop(middle), Refused)
        assert expected == [_without_claims(answer) for answer in answers]
        assert all(_recorded(rig, it) for it in good)
        assert before == sight(rig, bad)
        assert COMMITTED == bad.commit(*step(0))

    def test_every_refused_row_of_a_batch_is_answered_at_its_place(self, rig: Rig) -> None:
        """Refuse several, of several runs, and commit what stands between them."""
        large = rig.too_large()
        hands = [rig.start() for _ in range(5)]
        outputs = [b"small", large, b"small", large, b"small"]
        batch = [it.next(*step(0, output=out)) for it, out in zip(hands, outputs, strict=True)]

        answers = rig.backend.checkpoints.commit(batch)

        assert [Committed, Refused, Committed, Refused, Committed] == [type(it) for it in answers]
        assert [1, 0, 1, 0, 1] == [hand.cursor().node for hand in hands]

    def test_what_follows_a_refused_step_of_one_cursor_is_stale(self, rig: Rig) -> None:
        """Apply a batch as if one by one: keep what came before, lose what was built on it."""
        large = rig.too_large()
        hand = rig.start()
        batch = [hand.next(*step(0)), hand.next(*step(1, output=large)), hand.next(*step(2))]

        answers = rig.backend.checkpoints.commit(batch)

        assert [COMMITTED, Refused, Lost(LostReason.STALE)] == [
            type(it) if isinstance(it, Refused) else it for it in answers
        ]
        assert (1, 1) == (hand.cursor().node, hand.cursor().seq)
        assert [0] == [row.record.node for row in rig.history(hand.run_id)]

    def test_a_refused_arrival_is_not_counted(self, rig: Rig) -> None:
        """Count the other branch of the batch down, and this one when it arrives after all."""
        large = rig.too_large()
        rig.start().must(move(9), spawn(1, 2), keep=False)
        one, two = rig.take_all()
        arrival = Arrive(StepRef(10), ROOT_KEY)
        batch = [one.checkpoint(succeeded(10, output=large), arrival), two.next(arrival)]

        answers = rig.backend.checkpoints.commit(batch)
        pending = rig.root(one.instance_id).pending
        late = one.commit(succeeded(10), arrival, keep=False)

        assert [Refused, Committed] == [type(answer) for answer in answers]
        assert 1 == pending
        assert (COMMITTED, 0) == (late, rig.root(one.instance_id).pending)

    def test_a_refused_step_can_end_as_a_failure(self, rig: Rig) -> None:
        """Take the record of a failed attempt under the guard of the refused one."""
        large = rig.too_large()
        hand = rig.start()
        hand.commit(*step(0, output=large))

        answer = hand.commit(*give_up(0))

        assert HELD == answer
        assert 1 == len(rig.history(hand.run_id))


def _start(rig: Rig, following: str) -> Hand:
    """Hold a root cursor, or the first of two branches if an arrival follows."""
    hand = rig.start()
    if following != "arrive":
        return hand
    hand.must(move(9), spawn(1, 2), keep=False)
    return rig.take_all()[0]


def _all_kinds(rig: Rig) -> tuple[list[Checkpoint], list[Answer]]:
    """Return a good checkpoint of every kind, each of a run of its own, with its answer."""
    kinds: list[tuple[Effect, ...]] = [
        *((succeeded(0), *effects) for name, effects in FOLLOWING.items() if name != "arrive"),
        (succeeded(0, output=b"another"), move(1)),
        (failed(0), Retry(LATER)),
        (Start(),),
        give_up(0),
    ]
    good = [rig.start().next(*effects) for effects in kinds]
    rig.start().must(move(9), spawn(1, 2), keep=False)
    good += [hand.next(succeeded(hand.key.scope), *FOLLOWING["arrive"]) for hand in rig.take_all()]
    failing = [any(isinstance(effect, Fail) for effect in it.effects) for it in good]
    return good, [HELD if fails else COMMITTED for fails in failing]


def _without_claims(answer: Answer) -> Answer:
    return Committed(held=answer.held) if isinstance(answer, Committed) else answer


def _recorded(rig: Rig, checkpoint: Checkpoint) -> bool:
    rows = rig.history(checkpoint.lease.run_id)
    records = [effect.step for effect in checkpoint.effects if isinstance(effect, Record)]
    return all(any(row.record == it for row in rows) for it in records)
