"""A claim whose answer was lost can be given back, whatever the server still does with it."""

import pytest

from sayiir_core.errors import BackendError

RIGHT_AND_WRONG = pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])


@RIGHT_AND_WRONG
def test_a_claim_whose_answer_was_lost_is_given_back(stage, wrong) -> None:
    """Wait for the claim that goes on in the server; else nobody knows that it holds anything."""
    session = stage.session()
    created = stage.rig.create(stage.rig.new())
    lanes = [stage.rig.lane()]
    worker = stage.actor("claim").watch()
    hasty = {"lock_session_alone": stage.swap("FOR UPDATE", "")}
    releaser = stage.actor("release", **(hasty if wrong else {}))

    gate = stage.gate("UPDATE", "cursors", f"NEW.session = '{session}'")
    claiming = worker.do(lambda it: it.claims.claim(session, 7, lanes, 1))
    assert "waiting" == stage.settle(claiming)
    worker.cut()
    error = claiming.error()
    releasing = releaser.do(lambda it: it.claims.release_claim(session, 7))
    assert ("done" if wrong else "waiting") == stage.settle(releasing)
    gate.open()
    releasing.result()
    stage.until(lambda: stage.waiting(worker) == 0)

    assert isinstance(error, BackendError)
    assert error.transient
    instance_id = created.head.header.instance_id
    if wrong:
        stage.until(lambda: stage.cursor(instance_id).session == session)
    else:
        assert stage.cursor(instance_id).session is None
        assert 1 == stage.cursor(instance_id).fence
