"""Rule 2: a statement decides on rows that it locked, or in a later statement than the lock."""

import pytest

from sayiir_core.errors import InstanceNotFoundError
from sayiir_core.ports.instances import Created
from sayiir_core.snapshot.effect import AwaitSignal
from sayiir_core.snapshot.head import CursorState
from sayiir_postgres import creation, heads, whole
from sayiir_pytest.conformance.sample import move

RIGHT_AND_WRONG = pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])


def lock_and_look_at_once(stage):
    """Return a store that looks for a signal in the very statement that waits for the lock."""
    look = stage.swap(
        "AND p.consumed_by IS NULL",
        "AND p.consumed_by IS NULL AND (SELECT count(*) FROM (SELECT FROM {schema}.instances AS i "
        "WHERE i.instance_id = ANY(%(instance_ids)b::text[]) FOR NO KEY UPDATE) AS locked) > 0",
    )
    return {
        "lock_inboxes": lambda _: b"SELECT %(instance_ids)b::text[]",
        "lock_instances": stage.swap("FOR NO KEY UPDATE OF i", ""),
        "first_pending": look,
    }


@RIGHT_AND_WRONG
def test_a_park_that_waited_for_a_send_sees_its_signal(stage, wrong) -> None:
    """Deliver; a statement that both waits and looks wakes up with its old view, for ever."""
    parker = stage.actor("park", **(lock_and_look_at_once(stage) if wrong else {}))
    sender = stage.actor("send")
    hand = stage.rig.start()
    park = hand.checkpoint(move(1), AwaitSignal("go", None))

    gate = stage.gate("INSERT", "signals")
    sending = sender.do(lambda it: it.signals.send(hand.instance_id, "go", b"payload"))
    assert "waiting" == stage.settle(sending)
    parking = parker.do(lambda it: it.checkpoints.commit([park]))
    assert "waiting" == stage.settle(parking)
    gate.open()
    seq = sending.result()
    parking.result()

    cursor = stage.cursor(hand.instance_id)
    pending = stage.rig.backend.signals.pending(hand.instance_id)
    if wrong:
        assert (CursorState.AWAITING, 1) == (cursor.state, len(pending))
    else:
        assert (CursorState.SIGNALLED, seq, []) == (cursor.state, cursor.delivered, pending)


@RIGHT_AND_WRONG
def test_a_send_that_waited_past_the_deadline_is_late(stage, wrong, monkeypatch) -> None:
    """Read the clock behind the locks; read before, it lets a late signal win."""
    sender = stage.actor("send")
    if wrong:
        early = stage.clock.now()
        monkeypatch.setattr(sender.backend._database, "moment", lambda _: lambda: early)
    hand = stage.rig.start()
    hand.must(move(1), AwaitSignal("go", stage.ttl))

    held = stage.lock_instance(hand.instance_id)
    sending = sender.do(lambda it: it.signals.send(hand.instance_id, "go", b"payload"))
    assert "waiting" == stage.settle(sending)
    stage.clock.advance(stage.ttl)
    held.release()
    sending.result()

    won = CursorState.SIGNALLED is stage.cursor(hand.instance_id).state
    assert wrong == won


@RIGHT_AND_WRONG
@pytest.mark.parametrize("work", ["replace", "cancel"])
def test_an_instance_that_comes_between_two_statements_is_left_alone(
    stage, wrong, work, monkeypatch
) -> None:
    """Take no cursor whose instance was not there to be locked: its head would have no header."""
    if wrong:
        for module in (creation, whole):
            monkeypatch.setattr(module, "add_known_cursors", heads.add_cursors)
    at_hand = "WHERE i.instance_id = ANY(%(instance_ids)b::text[])"
    pause = at_hand.replace(
        "WHERE", "WHERE (SELECT pg_advisory_xact_lock_shared(7)) IS NOT NULL AND"
    )
    late = stage.actor("late", lock_instances=stage.swap(at_hand, pause))
    new = stage.rig.new(replace=True)

    held = stage.lock("SELECT pg_advisory_xact_lock(7)")
    if work == "replace":
        task = late.do(lambda it: it.instances.create([new]))
    else:
        task = late.do(lambda it: it.control.cancel(new.instance_id, reason=None, by=None))
    assert "waiting" == stage.settle(task)
    stage.rig.create(stage.rig.new(new.instance_id))
    held.release()

    if wrong:
        assert isinstance(task.error(), ValueError)
    elif work == "cancel":
        assert isinstance(task.error(), InstanceNotFoundError)
    else:
        assert [Created] == [type(answer) for answer in task.result()]
        assert new.run_id == stage.load(new.instance_id).header.run_id
