"""Claims beside each other take the best of the queue together, and never wait."""

import pytest

from sayiir_core.snapshot.control import claim_order
from sayiir_postgres.backend import AGING_INTERVAL

RIGHT_AND_WRONG = pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])


@RIGHT_AND_WRONG
def test_two_claims_side_by_side_take_the_best_twice_over(stage, wrong) -> None:
    """Skip what the other is taking and look behind it; a claim that looks no further than its own
    number comes away with less.
    """
    for number in range(60):
        stage.clock.advance(60)
        stage.rig.create(stage.rig.new(priority=number % 5 + 1))
    one, two = stage.session(), stage.session()
    lanes = [stage.rig.lane()]
    short = stage.swap("FOR NO KEY UPDATE SKIP LOCKED\n    ) AS t\n", "OFFSET 0) AS t\n")
    first = stage.actor("first")
    second = stage.actor("second", **({"claim": short} if wrong else {}))

    gate = stage.gate("UPDATE", "cursors", f"NEW.session = '{one}'")
    claiming = first.do(lambda it: it.claims.claim(one, 1, lanes, 15))
    assert "waiting" == stage.settle(claiming)
    other = second.do(lambda it: it.claims.claim(two, 1, lanes, 15))
    assert ("waiting" if wrong else "done") == stage.settle(other)
    gate.open()
    taken = [*claiming.result(), *other.result()]

    if not wrong:
        rest = stage.rig.claim(stage.session(), limit=100)
        best, others = (
            [claim_order(it.cursor, AGING_INTERVAL) for it in them] for them in (taken, rest)
        )
        assert (30, 30) == (len(best), len(others))
        assert max(best) <= min(others)
