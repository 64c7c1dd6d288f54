"""Rows that SQLite itself refuses."""

from __future__ import annotations

import pytest

from sayiir_core.errors import BackendError
from sayiir_core.snapshot.answer import COMMITTED, Refused
from sayiir_core.snapshot.effect import Finish, Retry, Sleep
from sayiir_core.snapshot.reference import StepRef
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import failed, move, step, succeeded
from sayiir_sqlite import SQLiteBackend

TOO_LARGE = 2**70
"""No number of SQLite."""


@pytest.mark.parametrize(
    "bad",
    [
        (succeeded(0), move(TOO_LARGE)),
        (succeeded(0, attempt=TOO_LARGE), move(1)),
        (succeeded(0, attempt=TOO_LARGE), Finish(StepRef(0))),
        (succeeded(0, attempt=TOO_LARGE), move(1), Sleep(VirtualClock().now())),
        (succeeded(0), move(1, group="lone \udc80 surrogate")),
    ],
    ids=["move", "step", "step and end", "slow path", "text"],
)
def test_what_the_driver_cannot_bind_is_refused_alone(rig: Rig, bad: tuple) -> None:
    """Undo the one checkpoint half-way, name its instance, and store its neighbours."""
    before, refused, after, retried = (rig.start() for _ in range(4))
    stored = refused.cursor()
    batch = [
        before.next(*step(0)),
        refused.checkpoint(*bad),
        after.next(succeeded(0), Finish(StepRef(0))),
        retried.next(failed(0), Retry(rig.clock.now())),
    ]

    answers = rig.backend.checkpoints.commit(batch)

    refusal = answers[1]
    assert isinstance(refusal, Refused)
    assert repr(refused.instance_id) in refusal.why
    assert [COMMITTED] * 3 == [answers[0], *answers[2:]]
    assert (stored, []) == (refused.cursor(), rig.history(refused.run_id))
    assert COMMITTED == refused.commit(*step(0))


def test_a_step_that_is_there_already_is_refused(rig: Rig) -> None:
    """Keep the record of an attempt, whatever comes after it under its number."""
    hand = rig.start()
    hand.must(*step(0))

    answer = hand.commit(*step(0, output=b"other"))

    assert isinstance(answer, Refused)
    assert [b"out"] == [row.record.output for row in rig.history(hand.run_id)]


def test_what_is_not_the_rows_fault_is_raised(path) -> None:
    """Leave the batch to be repeated where the file is full, also beside a refused row."""
    clock = VirtualClock()
    rig = Rig(lambda: SQLiteBackend(path, clock=clock, max_page_count=120), clock)
    first, second = rig.start(), rig.start()
    batch = [first.checkpoint(succeeded(0), move(TOO_LARGE)), second.checkpoint(*step(0))]
    large = second.checkpoint(*step(0, output=bytes(10**6)))

    with pytest.raises(BackendError, match="max_page_count"):
        rig.backend.checkpoints.commit([batch[0], large])
    seq = second.cursor().seq
    answers = rig.backend.checkpoints.commit(batch)

    assert 0 == seq
    assert [Refused, type(COMMITTED)] == [type(answer) for answer in answers]
    rig.close()
