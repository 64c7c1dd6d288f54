"""Rule 4: send and park meet at the inbox, also before there is an instance."""

import pytest

from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.effect import AwaitSignal
from sayiir_core.snapshot.head import CursorState
from sayiir_core.snapshot.reference import SignalRef
from sayiir_pytest.conformance.sample import move

RIGHT_AND_WRONG = pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])


@RIGHT_AND_WRONG
def test_a_signal_sent_before_the_instance_exists_reaches_its_wait(stage, wrong) -> None:
    """Wait for the send at the inbox; without that lock there is nothing that both touch."""
    no_lock = {"lock_inboxes": lambda _: b"SELECT %(instance_ids)b::text[]"}
    parker = stage.actor("park", **(no_lock if wrong else {}))
    sender = stage.actor("send")
    instance_id = InstanceId(stage.rig.name())

    gate = stage.gate("INSERT", "signals")
    sending = sender.do(lambda it: it.signals.send(instance_id, "go", b"payload"))
    assert "waiting" == stage.settle(sending)
    hand = parker.hand(stage.rig.start(instance_id=instance_id))
    parking = parker.do(lambda _: hand.commit(move(1), AwaitSignal("go", None)))
    assert ("done" if wrong else "waiting") == stage.settle(parking)
    gate.open()
    sending.result()
    parking.result()

    state = stage.cursor(instance_id).state
    pending = stage.rig.backend.signals.pending(instance_id)
    if wrong:
        assert (CursorState.AWAITING, 1) == (state, len(pending))
    else:
        assert (CursorState.SIGNALLED, []) == (state, pending)


@RIGHT_AND_WRONG
def test_a_send_behind_a_park_wakes_it(stage, wrong) -> None:
    """Wait for the park; a send that locks nothing overlooks it and only stores the signal."""
    blind = {
        "number_signal": lambda _: b"SELECT 1::bigint, %(instance_id)s::text",
        "lock_instances": stage.swap("FOR NO KEY UPDATE OF i", ""),
    }
    sender = stage.actor("send", **(blind if wrong else {}))
    parker = stage.actor("park")
    hand = parker.hand(stage.rig.start())

    gate = stage.gate("UPDATE", "cursors", "NEW.state = 'awaiting'")
    parking = parker.do(lambda _: hand.commit(move(1), AwaitSignal("go", None)))
    assert "waiting" == stage.settle(parking)
    sending = sender.do(lambda it: it.signals.send(hand.instance_id, "go", b"payload"))
    assert ("done" if wrong else "waiting") == stage.settle(sending)
    gate.open()
    parking.result()
    sending.result()

    awaiting = CursorState.AWAITING is stage.cursor(hand.instance_id).state
    assert wrong == awaiting


@RIGHT_AND_WRONG
def test_a_park_behind_an_expiry_takes_no_signal_that_is_gone(stage, wrong) -> None:
    """Hold the inbox while signals are removed; else a cursor consumes one that vanishes."""
    no_lock = {"lock_known_inboxes": lambda _: b"SELECT %(instance_ids)b::text[]"}
    keeper = stage.actor("expire", **(no_lock if wrong else {}))
    parker = stage.actor("park")
    instance_id = InstanceId(stage.rig.name())
    seq = stage.rig.backend.signals.send(instance_id, "go", b"payload")
    stage.clock.advance(1)
    now = stage.clock.now()

    gate = stage.gate("DELETE", "signals")
    expiring = keeper.do(lambda it: it.signals.expire(received_before=now, limit=10))
    assert "waiting" == stage.settle(expiring)
    hand = parker.hand(stage.rig.start(instance_id=instance_id))
    parking = parker.do(lambda _: hand.commit(move(1), AwaitSignal("go", None)))
    assert "waiting" == stage.settle(parking)
    gate.open()
    parking.result()

    assert 1 == expiring.result()
    assert [None] == stage.rig.payloads(hand, SignalRef(seq))
    state = stage.cursor(instance_id).state
    assert (CursorState.SIGNALLED if wrong else CursorState.AWAITING) is state


@RIGHT_AND_WRONG
def test_an_expiry_spares_the_signals_of_what_was_created_meanwhile(stage, wrong) -> None:
    """Judge again behind the inbox; by the first look a run that starts loses its signal."""
    nothing_lives = stage.swap("i.state NOT IN ('completed', 'cancelled')", "false")
    keeper = stage.actor("expire", **({"delete_expired_signals": nothing_lives} if wrong else {}))
    instance_id = InstanceId(stage.rig.name())
    stage.rig.backend.signals.send(instance_id, "go", b"payload")
    stage.clock.advance(1)
    now = stage.clock.now()

    held = stage.lock(
        "SELECT 1 FROM {schema}.inbox WHERE instance_id = %(id)s FOR NO KEY UPDATE",
        id=instance_id,
    )
    expiring = keeper.do(lambda it: it.signals.expire(received_before=now, limit=10))
    assert "waiting" == stage.settle(expiring)
    stage.rig.create(stage.rig.new(instance_id))
    held.release()

    assert int(wrong) == expiring.result()
    assert int(not wrong) == len(stage.rig.backend.signals.pending(instance_id))
