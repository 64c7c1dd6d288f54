"""Rule 5: all that a commit writes derives from the rows that its guarded update returned."""

import pytest

from sayiir_core.snapshot.answer import COMMITTED, REPLAYED, Lost, LostReason
from sayiir_pytest.conformance.sample import step

RIGHT_AND_WRONG = pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])

STEPS = "SELECT count(*) FROM {schema}.steps WHERE run = %(run)s"


@RIGHT_AND_WRONG
def test_a_commit_that_lost_its_cursor_while_it_waited_records_nothing(stage, wrong) -> None:
    """Insert for the row that was updated; for one that was only looked at, a lost step stays."""
    looked_at = stage.swap(
        "FROM moved",
        "FROM {schema}.cursors AS c "
        "WHERE c.run = %(run)s AND c.scope = %(scope)s AND c.fence = %(fence)s",
    )
    worker = stage.actor("late", **({"move_one": looked_at} if wrong else {}))
    hand = worker.hand(stage.rig.start())

    taken = stage.lock(
        "UPDATE {schema}.cursors SET fence = fence + 1, session = 'another' WHERE run = %(run)s",
        run=hand.run_id,
    )
    late = worker.do(lambda _: hand.commit(*step()))
    assert "waiting" == stage.settle(late)
    taken.release()

    answer = COMMITTED if wrong else Lost(LostReason.TAKEN)
    assert (answer, int(wrong)) == (late.result(), stage.count(STEPS, run=hand.run_id))


@RIGHT_AND_WRONG
def test_a_commit_sent_twice_is_applied_once(stage, wrong) -> None:
    """Send again what a broken connection left open, while the server still works on it."""
    without_seq = stage.swap("AND c.seq = %(seq)s", "")
    no_conflict = stage.swap("FROM moved", "FROM moved ON CONFLICT DO NOTHING RETURNING run")
    edits = {"move_one": lambda text: no_conflict(without_seq(text))} if wrong else {}
    worker = stage.actor("worker", **edits).watch()
    hand = worker.hand(stage.rig.start())

    gate = stage.gate("INSERT", "steps")
    committing = worker.do(lambda _: hand.commit(*step()))
    assert "waiting" == stage.settle(committing)
    worker.cut()
    stage.until(lambda: stage.waiting(worker) == 2)
    gate.open()

    committing.result()
    assert 1 == stage.count(STEPS, run=hand.run_id)
    assert (2 if wrong else 1) == stage.cursor(hand.instance_id).seq
    if not wrong:
        assert REPLAYED == committing.result()
