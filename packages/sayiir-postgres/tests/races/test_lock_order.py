"""Rule 1: locks are taken in one order: session, inbox, instance, cursors, ascending by key."""

import pytest

from sayiir_core.errors import BackendError
from sayiir_core.snapshot.effect import Finish
from sayiir_core.snapshot.reference import INPUT
from sayiir_pytest.conformance.sample import step

RIGHT_AND_WRONG = pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])


@RIGHT_AND_WRONG
def test_two_batches_in_opposite_orders_never_wait_for_each_other(stage, wrong) -> None:
    """Lock the cursors of a batch by key; in the order of the batch, two of them deadlock."""
    edits = {"commit": stage.swap("ORDER BY run, scope, idx", "ORDER BY position")}
    one, two = (stage.actor(name, **(edits if wrong else {})) for name in ("one", "two"))
    for actor in (one, two):
        actor.give_up_on_conflicts()
    session = stage.session()
    low, middle, high = sorted(
        (stage.rig.start(session) for _ in range(3)), key=lambda hand: hand.run_id
    )
    up = [hand.checkpoint(*step()) for hand in (low, middle, high)]

    held = stage.lock_cursor(middle)
    first = one.do(lambda it: it.checkpoints.commit(up[::-1]))
    assert "waiting" == stage.settle(first)
    second = two.do(lambda it: it.checkpoints.commit(up))
    assert "waiting" == stage.settle(second)
    held.release()

    errors = [task.error() for task in (first, second)]
    deadlocked = [it for it in errors if isinstance(it, BackendError) and "[40P01]" in str(it)]
    assert wrong == bool(deadlocked)
    if not wrong:
        assert [None, None] == errors
        assert [1, 1, 1] == [stage.cursor(it.instance_id).seq for it in (low, middle, high)]


@RIGHT_AND_WRONG
def test_an_instance_is_locked_before_its_cursors(stage, wrong, path) -> None:
    """Let a cancel and a finish queue up at the instance; cursors first, they deadlock."""
    cursors_first = stage.swap(
        "WHERE i.instance_id = ANY(%(instance_ids)b::text[])",
        "WHERE i.instance_id = ANY(%(instance_ids)b::text[]) AND (SELECT count(*) FROM ("
        "SELECT c.run FROM {schema}.cursors AS c "
        "JOIN {schema}.instances AS j ON j.run = c.run "
        "WHERE j.instance_id = ANY(%(instance_ids)b::text[]) FOR NO KEY UPDATE OF c) AS f) >= 0",
    )
    canceller = stage.actor("cancel", **({"lock_instances": cursors_first} if wrong else {}))
    finisher = stage.actor("finish")
    for actor in (canceller, finisher):
        actor.give_up_on_conflicts()
    hand = stage.rig.start()
    last = hand.checkpoint(Finish(INPUT))

    held = stage.lock_instance(hand.instance_id)
    finish = finisher.do(lambda it: it.checkpoints.commit([last]))
    assert "waiting" == stage.settle(finish)
    cancel = canceller.do(lambda it: it.control.cancel(hand.instance_id, reason=None, by=None))
    assert "waiting" == stage.settle(cancel)
    held.release()

    errors = [str(task.error()) for task in (finish, cancel)]
    assert wrong == any("[40P01]" in text for text in errors)
    if not wrong:
        assert "None" == errors[0]
        assert "it is completed" in errors[1]
