"""Rule 4: send and park meet at the inbox, also before there is an instance."""

import pytest

from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.effect import AwaitSignal
from sayiir_core.snapshot.head import CursorState
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
