"""Every arrival counts, in one batch and side by side."""

import pytest

from sayiir_core.snapshot.apply import apply
from sayiir_core.snapshot.effect import Arrive
from sayiir_core.snapshot.head import CursorKey, CursorState
from sayiir_core.snapshot.reference import INPUT
from sayiir_postgres import batch
from sayiir_pytest.conformance.sample import move, spawn, succeeded

RIGHT_AND_WRONG = pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])

ARRIVE = Arrive(INPUT, CursorKey(0, ()))


def fork_in_two(stage):
    """Fork a run and hold both branches."""
    session = stage.session()
    root = stage.rig.start(session)
    root.must(succeeded(0), move(9), spawn(1, 2), keep=False)
    return root, stage.rig.take_all(session)


def counting_by_an_old_view(stage):
    """Return an edit that counts down from what the statement saw before it waited."""
    return stage.swap(
        "c.pending = a.number",
        "a.number = (SELECT p.pending FROM {schema}.cursors AS p "
        "WHERE p.run = c.run AND p.scope = c.scope AND p.idx = c.idx)",
    )


@RIGHT_AND_WRONG
def test_two_arrivals_in_one_batch_count_twice(stage, wrong, path, monkeypatch) -> None:
    """Let the second see the first; if each counts from what was stored, one is forgotten."""
    root, branches = fork_in_two(stage)
    one_each = {"commit": stage.swap("count(*) AS number", "1 AS number")}
    worker = stage.actor("worker", **(one_each if wrong else {}))
    if wrong:

        def count_from_stored(head, checkpoint, now):
            head.cursors[CursorKey(0, ())].pending = 2
            return apply(head, checkpoint, now)

        monkeypatch.setattr(batch, "apply", count_from_stored)

    worker.backend.checkpoints.commit([it.checkpoint(ARRIVE, keep=False) for it in branches])

    join = stage.cursor(root.instance_id)
    expected = (CursorState.JOINING, 1) if wrong else (CursorState.READY, 0)
    assert expected == (join.state, join.pending)


@RIGHT_AND_WRONG
def test_two_arrivals_side_by_side_count_twice(stage, wrong, path) -> None:
    """Wait for each other at the parent; unlocked, both count from the same number."""
    unlocked = {
        "lock_cursors": stage.swap("FOR NO KEY UPDATE OF c", ""),
        "commit": counting_by_an_old_view(stage),
    }
    actors = [stage.actor(name, **(unlocked if wrong else {})) for name in ("one", "two")]
    root, branches = fork_in_two(stage)
    last = [it.checkpoint(ARRIVE, keep=False) for it in branches]

    gate = stage.gate("INSERT", "scopes")
    arriving = []
    for actor, checkpoint in zip(actors, last, strict=True):
        arriving.append(actor.do(lambda it, own=checkpoint: it.checkpoints.commit([own])))
        assert "waiting" == stage.settle(arriving[-1])
    gate.open()
    for task in arriving:
        task.result()

    join = stage.cursor(root.instance_id)
    assert wrong == (join.state is CursorState.JOINING)
    if not wrong:
        assert 0 == join.pending
