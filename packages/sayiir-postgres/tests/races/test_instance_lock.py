"""Rule 3: what changes the set of cursors locks the instance; a linear step does not."""

import pytest

from sayiir_core.ports.ownership import Busy, Owned
from sayiir_core.snapshot.answer import COMMITTED
from sayiir_core.snapshot.head import InstanceState
from sayiir_pytest.conformance.sample import move, spawn, step, succeeded

RIGHT_AND_WRONG = pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])


@RIGHT_AND_WRONG
def test_a_cancel_behind_a_fork_holds_the_branches(stage, wrong, path) -> None:
    """Wait for the fork at the instance; a fork that does not lock it hides its branches."""
    unlocked = {
        "lock_instances": stage.swap("FOR NO KEY UPDATE OF i", ""),
        "commit": stage.swap("ORDER BY i.instance_id\n    FOR NO KEY UPDATE", ""),
    }
    forker = stage.actor("fork", **(unlocked if wrong else {}))
    canceller = stage.actor("cancel")
    hand = stage.rig.start()
    fork = hand.checkpoint(succeeded(0), move(9), spawn(1, 2), keep=False)
    fork.take = frozenset({2})

    held = stage.lock_cursor(hand)
    forking = forker.do(lambda it: it.checkpoints.commit([fork]))
    assert "waiting" == stage.settle(forking)
    cancelling = canceller.do(lambda it: it.control.cancel(hand.instance_id, reason=None, by=None))
    assert "waiting" == stage.settle(cancelling)
    held.release()
    forking.result()
    cancelling.result()

    head = stage.load(hand.instance_id)
    assert InstanceState.CANCELLED is head.header.state
    assert wrong == any(not cursor.held for cursor in head.cursors.values())


# The fast path leaves a held cursor to the slow one, so it has no wrong way of its own.
@pytest.mark.parametrize(
    ("path", "wrong"), [("fast", False), ("slow", False), ("slow", True)], indirect=["path"]
)
def test_a_fork_behind_a_cancel_is_born_held(stage, wrong, path) -> None:
    """Copy the hold from the locked instance; read without the lock it misses the cancel."""
    unlocked = {"lock_instances": stage.swap("FOR NO KEY UPDATE OF i", "")}
    forker = stage.actor("fork", **(unlocked if wrong else {}))
    canceller = stage.actor("cancel")
    hand = stage.rig.start()
    fork = hand.checkpoint(succeeded(0), move(9), spawn(1, 2), keep=False)
    fork.take = frozenset({2})

    gate = stage.gate("UPDATE", "instances")
    cancelling = canceller.do(lambda it: it.control.cancel(hand.instance_id, reason=None, by=None))
    assert "waiting" == stage.settle(cancelling)
    forking = forker.do(lambda it: it.checkpoints.commit([fork]))
    assert "waiting" == stage.settle(forking)
    gate.open()
    cancelling.result()
    forking.result()

    cursors = stage.load(hand.instance_id).cursors
    assert 3 == len(cursors)
    assert wrong == any(not cursor.held for cursor in cursors.values())


@RIGHT_AND_WRONG
def test_an_owner_and_a_pool_never_hold_one_instance(stage, wrong) -> None:
    """Wait for a claim under way; an owner that does not lock the cursors overlooks it."""
    unlocked = {"lock_whole": stage.swap("FOR NO KEY UPDATE", "")}
    runner = stage.actor("own", **(unlocked if wrong else {}))
    worker = stage.actor("claim")
    created = stage.rig.create(stage.rig.new())
    instance_id = created.head.header.instance_id
    pool, owner = stage.session(), stage.session()
    lanes = [stage.rig.lane()]

    gate = stage.gate("UPDATE", "cursors", f"NEW.session = '{pool}'")
    claiming = worker.do(lambda it: it.claims.claim(pool, 1, lanes, 1))
    assert "waiting" == stage.settle(claiming)
    owning = runner.do(lambda it: it.ownership.own(owner, instance_id))
    assert "waiting" == stage.settle(owning)
    gate.open()

    assert 1 == len(claiming.result())
    assert (Owned if wrong else Busy) is type(owning.result())


@RIGHT_AND_WRONG
def test_a_linear_step_does_not_wait_for_the_instance(stage, wrong) -> None:
    """Commit while somebody holds the instance; a step that locks it queues up behind."""
    lock_it = stage.swap(
        "FROM alive AS a",
        "FROM alive AS a, (SELECT i.run FROM {schema}.instances AS i "
        "WHERE i.run = %(run)s FOR NO KEY UPDATE) AS locked",
    )
    worker = stage.actor("step", **({"move_one": lock_it} if wrong else {}))
    hand = stage.rig.start()
    checkpoint = hand.checkpoint(*step())

    held = stage.lock_instance(hand.instance_id)
    stepping = worker.do(lambda it: it.checkpoints.commit([checkpoint]))
    seen = stage.settle(stepping)
    held.release()

    assert ("waiting" if wrong else "done") == seen
    assert [COMMITTED] == stepping.result()
