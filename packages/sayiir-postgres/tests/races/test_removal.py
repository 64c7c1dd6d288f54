"""Whoever removes a run removes what a late commit under way still writes for it."""

import pytest

from sayiir_core.snapshot.head import InstanceState
from sayiir_postgres import removal
from sayiir_pytest.conformance.sample import give_up, step

RIGHT_AND_WRONG = pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])

STEPS = "SELECT count(*) FROM {schema}.steps WHERE run = %(run)s"


@RIGHT_AND_WRONG
def test_a_replacement_takes_the_step_of_a_late_commit_along(stage, wrong) -> None:
    """Lock the cursors first; else the step is written after the steps were removed."""
    unlocked = {"lock_whole": stage.swap("FOR NO KEY UPDATE", "")}
    terminator = stage.actor("replace", **(unlocked if wrong else {}))
    worker = stage.actor("late")
    hand = worker.hand(stage.rig.start())
    new = stage.rig.new(hand.instance_id, replace=True)

    gate = stage.gate("INSERT", "steps")
    late = worker.do(lambda _: hand.commit(*step()))
    assert "waiting" == stage.settle(late)
    replacing = terminator.do(lambda it: it.instances.create([new]))
    assert "waiting" == stage.settle(replacing)
    gate.open()
    late.result()
    replacing.result()

    assert new.run_id == stage.load(hand.instance_id).header.run_id
    assert int(wrong) == stage.count(STEPS, run=hand.run_id)


@RIGHT_AND_WRONG
def test_a_prune_spares_what_was_revived_meanwhile(stage, wrong, monkeypatch) -> None:
    """Judge again under the locks; by the first look a run that goes on is removed."""
    if wrong:
        monkeypatch.setattr(removal, "_is_prunable", lambda *_: True)
    pruner = stage.actor("prune")
    hand = stage.rig.start()
    stage.rig.backend.signals.send(hand.instance_id, "early", b"")
    hand.must(*give_up())
    stage.clock.advance(1)
    now = stage.clock.now()

    held = stage.lock(
        "SELECT 1 FROM {schema}.inbox WHERE instance_id = %(id)s FOR NO KEY UPDATE",
        id=hand.instance_id,
    )
    pruning = pruner.do(lambda it: it.instances.prune(finished_before=now, limit=10))
    assert "waiting" == stage.settle(pruning)
    stage.rig.backend.control.retry(hand.instance_id)
    stage.rig.take().must(*step(0, output=b"again")[1:])
    held.release()

    assert int(wrong) == pruning.result()
    left = stage.count(
        "SELECT count(*) FROM {schema}.instances WHERE instance_id = %(id)s", id=hand.instance_id
    )
    assert int(not wrong) == left
    if not wrong:
        assert InstanceState.RUNNING is stage.load(hand.instance_id).header.state
