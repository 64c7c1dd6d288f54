"""Rules 2, 3 and 5 for what one statement writes: ends and retries against requests, joins."""

import pytest

from sayiir_core.snapshot.answer import COMMITTED, HELD, REPLAYED, Committed, Lost, LostReason
from sayiir_core.snapshot.effect import Arrive, Finish, Retry
from sayiir_core.snapshot.head import CursorKey, CursorState, InstanceState
from sayiir_core.snapshot.reference import INPUT
from sayiir_pytest.conformance.hand import Hand
from sayiir_pytest.conformance.sample import failed, move, spawn, step, succeeded

RIGHT_AND_WRONG = pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])

STEPS = "SELECT count(*) FROM {schema}.steps WHERE run = %(run)s"
QUEUED = "SELECT count(*) FROM {schema}.cursors WHERE run = %(run)s AND queued_at IS NOT NULL"
END = (succeeded(0), Finish(INPUT))


def by_key(stage):
    """Return an edit that changes cursors by their keys instead of the versions that were locked."""
    key = "c.run = k.run AND c.scope = k.scope AND c.idx = k.idx"
    return stage.swap("c.ctid = k.place", key)


def regardless_of_holds(stage):
    """Return commits that do not look whether the cursor is held."""
    blind = stage.swap("AND c.seq = b.seq AND NOT c.held", "AND c.seq = b.seq")
    return {
        "finish_one": stage.swap("AND NOT c.held", ""),
        "commit": lambda text: blind(by_key(stage)(text)),
    }


@RIGHT_AND_WRONG
@pytest.mark.parametrize("request_", ["pause", "cancel"])
def test_an_end_behind_a_request_is_held(stage, wrong, request_, ending) -> None:
    """Judge the cursor as it is once it is locked; by the older view the run ends all the same."""
    finisher = stage.actor("finish", **(regardless_of_holds(stage) if wrong else {}))
    asker = stage.actor("request")
    hand = finisher.hand(stage.rig.start())
    ask = {"reason": None, "by": None}

    gate = stage.gate("UPDATE", "instances")
    asking = asker.do(lambda it: getattr(it.control, request_)(hand.instance_id, **ask))
    assert "waiting" == stage.settle(asking)
    finishing = finisher.do(lambda _: hand.commit(*END))
    assert "waiting" == stage.settle(finishing)
    gate.open()
    asking.result()

    requested = {"pause": InstanceState.PAUSED, "cancel": InstanceState.CANCELLED}[request_]
    state = InstanceState.COMPLETED if wrong else requested
    assert (COMMITTED if wrong else HELD) == finishing.result()
    assert state is stage.load(hand.instance_id).header.state


@RIGHT_AND_WRONG
def test_an_end_of_a_run_that_was_replaced_meanwhile_is_lost(stage, wrong, ending) -> None:
    """Wait for the replacement; an end that does not find its cursor must write nothing."""
    as_sent = {
        "finish_one": stage.swap("\nFROM gone", "\nFROM (VALUES (%(run)s::uuid)) AS sent (run)"),
        "commit": stage.swap("FROM gone AS k", "FROM batch AS k"),
    }
    finisher = stage.actor("finish", **({ending: as_sent[ending]} if wrong else {}))
    terminator = stage.actor("replace")
    hand = finisher.hand(stage.rig.start())
    new = stage.rig.new(hand.instance_id, replace=True)

    gate = stage.gate("UPDATE", "instances")
    replacing = terminator.do(lambda it: it.instances.create([new]))
    assert "waiting" == stage.settle(replacing)
    finishing = finisher.do(lambda _: hand.commit(*END))
    assert "waiting" == stage.settle(finishing)
    gate.open()
    replacing.result()

    assert (COMMITTED if wrong else Lost(LostReason.REPLACED)) == finishing.result()
    assert new.run_id == stage.load(hand.instance_id).header.run_id
    assert int(wrong) == stage.count(STEPS, run=hand.run_id)


@RIGHT_AND_WRONG
def test_a_retry_behind_a_pause_is_not_queued(stage, wrong) -> None:
    """Leave a held cursor to the slow path; else a pool may claim it during the pause."""
    worker = stage.actor("retry", **(regardless_of_holds(stage) if wrong else {}))
    asker = stage.actor("pause")
    hand = worker.hand(stage.rig.start())
    retry = (failed(0), Retry(stage.clock.now()))

    gate = stage.gate("UPDATE", "instances")
    pausing = asker.do(lambda it: it.control.pause(hand.instance_id, reason=None, by=None))
    assert "waiting" == stage.settle(pausing)
    retrying = worker.do(lambda _: hand.commit(*retry))
    assert "waiting" == stage.settle(retrying)
    gate.open()
    pausing.result()

    assert (COMMITTED if wrong else HELD) == retrying.result()
    assert int(wrong) == stage.count(QUEUED, run=hand.run_id)


@RIGHT_AND_WRONG
def test_of_two_last_arrivals_at_once_one_gets_the_join(stage, wrong) -> None:
    """Lock the parent before counting; else neither sees that it is the last."""
    by_an_old_view = stage.swap(
        "c.pending = a.number",
        "a.number = (SELECT p.pending FROM {schema}.cursors AS p "
        "WHERE p.run = c.run AND p.scope = c.scope AND p.idx = c.idx)",
    )
    actors = [
        stage.actor(name, **({"commit": by_an_old_view} if wrong else {})) for name in ("a", "b")
    ]
    session = stage.session()
    root = stage.rig.start(session)
    root.must(succeeded(0), move(9), spawn(1, 2), keep=False)
    branches = stage.rig.take_all(session)

    gate = stage.gate("INSERT", "scopes")
    arriving = []
    for actor, branch in zip(actors, branches, strict=True):
        last = branch.checkpoint(Arrive(INPUT, CursorKey(0, ())))
        arriving.append(actor.do(lambda it, own=last: it.checkpoints.commit([own])))
        assert "waiting" == stage.settle(arriving[-1])
    gate.open()
    answers = [answer for task in arriving for answer in task.result()]

    claims = [claim for it in answers if isinstance(it, Committed) for claim in it.claims]
    assert (0 if wrong else 1) == len(claims)
    if not wrong:
        join = Hand(stage.rig.backend, claims[0])
        assert (CursorState.READY, session) == (join.cursor().state, join.cursor().session)
        assert COMMITTED == join.commit(*step(9))


@RIGHT_AND_WRONG
def test_a_batch_that_lost_a_cursor_while_it_waited_records_the_others(stage, wrong) -> None:
    """Record what was changed; for rows that were only looked at, a lost step stays."""
    looked_at = stage.swap("        FOR NO KEY UPDATE\n    ) AS c", "    ) AS c")
    recorded = stage.swap("FROM rested AS k", "FROM locked AS k")
    edits = {"commit": lambda text: recorded(looked_at(text))} if wrong else {}
    worker = stage.actor("late", **edits)
    session = stage.session()
    lost, kept = stage.rig.start(session), stage.rig.start(session)
    batch = [it.checkpoint(failed(0), Retry(stage.clock.now())) for it in (lost, kept)]

    taken = stage.lock(
        "UPDATE {schema}.cursors SET fence = fence + 1, session = 'another' WHERE run = %(run)s",
        run=lost.run_id,
    )
    late = worker.do(lambda it: it.checkpoints.commit(batch))
    assert "waiting" == stage.settle(late)
    taken.release()

    assert [COMMITTED if wrong else Lost(LostReason.TAKEN), COMMITTED] == late.result()
    assert int(wrong) == stage.count(STEPS, run=lost.run_id)
    assert 1 == stage.count(STEPS, run=kept.run_id)


@RIGHT_AND_WRONG
def test_a_batch_sent_twice_is_applied_once(stage, wrong) -> None:
    """Send again what a broken connection left open, while the server still works on it."""
    without_seq = stage.swap("AND c.seq = b.seq AND NOT c.held", "AND NOT c.held")
    no_conflict = stage.swap(
        "    WHERE attempt > 0\n    ORDER BY position\n",
        "    WHERE attempt > 0\n    ORDER BY position\n    ON CONFLICT DO NOTHING\n",
    )
    edits = {"commit": lambda text: no_conflict(without_seq(by_key(stage)(text)))}
    worker = stage.actor("worker", **(edits if wrong else {})).watch()
    session = stage.session()
    hands = [worker.hand(stage.rig.start(session)) for _ in range(2)]
    batch = [hand.checkpoint(*step()) for hand in hands]

    gate = stage.gate("INSERT", "steps")
    committing = worker.do(lambda it: it.checkpoints.commit(batch))
    assert "waiting" == stage.settle(committing)
    worker.cut()
    stage.until(lambda: stage.waiting(worker) == 2)
    gate.open()

    answers = committing.result()
    assert [1, 1] == [stage.count(STEPS, run=hand.run_id) for hand in hands]
    assert [2 if wrong else 1] * 2 == [stage.cursor(hand.instance_id).seq for hand in hands]
    if not wrong:
        assert [REPLAYED] * 2 == answers
