"""Rule 6: who names a session on a row holds the session's row, and requires it live."""

import pytest

from sayiir_core.errors import BackendError
from sayiir_core.snapshot.answer import Committed, Lost, LostReason
from sayiir_core.snapshot.effect import Arrive, Finish, Retry
from sayiir_core.snapshot.head import CursorKey
from sayiir_core.snapshot.reference import INPUT
from sayiir_pytest.clock import START
from sayiir_pytest.conformance.sample import failed, move, spawn, step, succeeded

STEPS = "SELECT count(*) FROM {schema}.steps WHERE run = %(run)s"

BY_STATEMENT = {
    "move_one": step(),
    "finish_one": (succeeded(0), Finish(INPUT)),
    "commit": (failed(0), Retry(START)),
}
"""What each statement of the fast path writes."""

RIGHT_AND_WRONG = pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])


def expire_beside_a_steady_one(stage):
    """Let every lease so far expire; return a session that may reap."""
    reaper = stage.session()
    for _ in range(2):
        stage.clock.advance(stage.ttl * 0.9)
        stage.rig.backend.sessions.renew(reaper)
    return reaper


def release_in_the_same_statement(stage):
    """Return a reap that takes the cursors back in the statement that ends the session."""
    free = stage.swap(
        "UPDATE {schema}.sessions",
        ", freed AS (UPDATE {schema}.cursors AS c SET session = NULL FROM dead "
        "WHERE c.session = dead.session_id) UPDATE {schema}.sessions",
    )
    mark = stage.swap("SET state = 'dead'", "SET state = 'dead', released_at = now()")
    return {"reap_sessions": lambda text: mark(free(text))}


@pytest.mark.parametrize("wrong", [None, "unlocked", "same statement"])
def test_a_reap_finds_what_a_claim_under_way_takes(stage, wrong) -> None:
    """Wait for the claim, then look; else the cursor belongs to a dead session for ever."""
    victim = stage.session()
    created = stage.rig.create(stage.rig.new())
    reaper_id = expire_beside_a_steady_one(stage)
    lanes = [stage.rig.lane()]
    unlocked = {"claim": stage.swap("FOR KEY SHARE", "")}
    worker = stage.actor("claim", **(unlocked if wrong == "unlocked" else {}))
    at_once = release_in_the_same_statement(stage)
    reaper = stage.actor("reap", **(at_once if wrong == "same statement" else {}))

    gate = stage.gate("UPDATE", "cursors", f"NEW.session = '{victim}'")
    claiming = worker.do(lambda it: it.claims.claim(victim, 1, lanes, 1))
    assert "waiting" == stage.settle(claiming)
    reaping = reaper.do(lambda it: it.sessions.reap(reaper_id))
    assert ("done" if wrong == "unlocked" else "waiting") == stage.settle(reaping)
    gate.open()
    claiming.result()
    found = reaping.result()

    stage.rig.backend.sessions.reap(reaper_id)
    assert [victim] == found
    assert (None if wrong is None else victim) == stage.cursor(
        created.head.header.instance_id
    ).session


@RIGHT_AND_WRONG
def test_a_reap_takes_the_join_that_an_arrival_under_way_reserves(stage, wrong, path) -> None:
    """Wait for the arrival; else the join belongs to a dead session for ever."""
    unlocked = {name: stage.swap("FOR KEY SHARE", "") for name in ("lock_sessions", "commit")}
    worker = stage.actor("arrive", **(unlocked if wrong else {}))
    reaper = stage.actor("reap")
    victim = stage.session()
    root = stage.rig.start(victim)
    root.must(succeeded(0), move(9), spawn(1), keep=False)
    branch = worker.hand(stage.rig.take(victim))
    reaper_id = expire_beside_a_steady_one(stage)

    gate = stage.gate("UPDATE", "cursors", f"OLD.scope = 0 AND NEW.session = '{victim}'")
    arriving = worker.do(lambda _: branch.commit(Arrive(INPUT, CursorKey(0, ()))))
    assert "waiting" == stage.settle(arriving)
    reaping = reaper.do(lambda it: it.sessions.reap(reaper_id))
    assert "waiting" == stage.settle(reaping)
    gate.open()

    assert isinstance(arriving.result(), Committed)
    assert [victim] == reaping.result()
    assert (victim if wrong else None) == stage.cursor(root.instance_id).session


@RIGHT_AND_WRONG
def test_a_reap_takes_the_branches_that_a_fork_under_way_takes(stage, wrong, path) -> None:
    """Wait for the fork; else its branches belong to a dead session for ever."""
    unlocked = {name: stage.swap("FOR KEY SHARE", "") for name in ("lock_sessions", "commit")}
    worker = stage.actor("fork", **(unlocked if wrong else {}))
    reaper = stage.actor("reap")
    victim = stage.session()
    root = stage.rig.start(victim)
    fork = root.checkpoint(succeeded(0), move(9), spawn(1, 2))
    fork.take = frozenset({1})
    reaper_id = expire_beside_a_steady_one(stage)

    gate = stage.gate("INSERT", "cursors", f"NEW.scope = 1 AND NEW.session = '{victim}'")
    forking = worker.do(lambda it: it.checkpoints.commit([fork]))
    assert "waiting" == stage.settle(forking)
    reaping = reaper.do(lambda it: it.sessions.reap(reaper_id))
    assert "waiting" == stage.settle(reaping)
    gate.open()

    (answer,) = forking.result()
    assert isinstance(answer, Committed)
    assert [1] == [claim.lease.scope for claim in answer.claims]
    assert [victim] == reaping.result()
    assert (victim if wrong else None) == stage.cursor(root.instance_id, 1).session


@RIGHT_AND_WRONG
def test_a_claim_behind_a_reap_is_refused(stage, wrong) -> None:
    """Require the session live under its lock; by an old view the dead one claims on."""
    victim = stage.session()
    created = stage.rig.create(stage.rig.new())
    reaper_id = expire_beside_a_steady_one(stage)
    lanes = [stage.rig.lane()]
    unlocked = {"claim": stage.swap("FOR KEY SHARE", "")}
    worker = stage.actor("claim", **(unlocked if wrong else {}))
    reaper = stage.actor("reap")
    stage.rig.backend.sessions.view(victim)

    gate = stage.gate("UPDATE", "sessions", "NEW.state = 'dead'")
    reaping = reaper.do(lambda it: it.sessions.reap(reaper_id))
    assert "waiting" == stage.settle(reaping)
    claiming = worker.do(lambda it: it.claims.claim(victim, 1, lanes, 1))
    assert ("done" if wrong else "waiting") == stage.settle(claiming)
    gate.open()
    reaping.result()

    if wrong:
        assert 1 == len(claiming.result())
    else:
        assert isinstance(claiming.error(), BackendError)
        assert stage.cursor(created.head.header.instance_id).session is None


@RIGHT_AND_WRONG
@pytest.mark.parametrize("statement", BY_STATEMENT)
def test_a_commit_behind_a_reap_is_lost(stage, wrong, statement) -> None:
    """Refuse the step of a session that is being ended; else a dead one goes on writing."""
    victim = stage.session()
    worker_edits = {statement: stage.swap("FOR KEY SHARE", "")}
    worker = stage.actor("commit", **(worker_edits if wrong else {}))
    reaper = stage.actor("reap")
    hand = worker.hand(stage.rig.start(victim))
    reaper_id = expire_beside_a_steady_one(stage)

    gate = stage.gate("UPDATE", "sessions", "NEW.state = 'dead'")
    reaping = reaper.do(lambda it: it.sessions.reap(reaper_id))
    assert "waiting" == stage.settle(reaping)
    committing = worker.do(lambda _: hand.commit(*BY_STATEMENT[statement]))
    assert ("done" if wrong else "waiting") == stage.settle(committing)
    gate.open()
    reaping.result()

    lost = Lost(LostReason.SESSION_ENDED) == committing.result()
    assert wrong != lost
    assert int(wrong) == stage.count(STEPS, run=hand.run_id)
