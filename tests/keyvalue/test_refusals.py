"""What a key-value store can never hold is refused alone, and leaves nothing behind."""

from __future__ import annotations

import pytest

from sayiir_core.errors import RefusedRowError
from sayiir_core.snapshot.answer import Answer, Claim, Committed, Refused
from sayiir_core.snapshot.effect import Checkpoint, Finish
from sayiir_core.snapshot.reference import StepRef
from sayiir_pytest.conformance.sample import move, succeeded
from tests.keyvalue.story import ONE, RUN, SECOND_RUN, Stage, assert_told, keys, new

LARGEST = 5_000
TOO_LONG = b"x" * (LARGEST + 1)


@pytest.fixture
def stage() -> Stage:
    """Return a run that waits for its first claim, in a store of short values."""
    stage = Stage()
    stage.store.largest = LARGEST
    return stage


def commit(stage: Stage, claim: Claim, *outputs: bytes) -> list[Answer]:
    """Commit one step after the other, in one batch; a refused one is not counted."""
    batch: list[Checkpoint] = []
    seq = claim.cursor.seq
    for node, output in enumerate(outputs):
        batch.append(Checkpoint(claim.lease, seq, (succeeded(node, output=output), move(node + 1))))
        seq += 0 if output is TOO_LONG else 1
    return stage.worker.backend.checkpoints.commit(batch)


def test_the_other_checkpoints_of_a_batch_are_stored(stage: Stage) -> None:
    """Change nothing for the one that is refused, and say why."""
    (claim,) = stage.worker.claim()

    first, refused, last = commit(stage, claim, b"short", TOO_LONG, b"short")

    assert [Committed(), Committed()] == [first, last]
    assert isinstance(refused, Refused)
    assert "5000" in refused.why
    assert [b"short", None, b"short"] == stage.bystander.results.payloads(
        ONE, RUN, [StepRef(0), StepRef(1), StepRef(2)]
    )


def test_a_row_that_was_written_before_the_refused_one_goes_again(stage: Stage) -> None:
    """Drop what no document acknowledges, and let the story be told."""
    (claim,) = stage.worker.claim()
    effects = succeeded(0, output=b"short"), succeeded(1, output=TOO_LONG), Finish(StepRef(1))
    checkpoint = Checkpoint(claim.lease, claim.cursor.seq, effects)

    answers = stage.worker.backend.checkpoints.commit([checkpoint])

    assert [Refused] == [type(answer) for answer in answers]
    assert [] == keys(stage.store, "w/")
    stage.worker.commit(claim)
    stage.worker.drive()
    assert_told(stage.bystander, stage.store)


def test_a_refused_input_leaves_no_run(stage: Stage) -> None:
    """Raise, and store nothing under its keys."""
    large = new(SECOND_RUN, replace=True)
    large.input = TOO_LONG

    with pytest.raises(RefusedRowError):
        stage.worker.backend.instances.create([large])

    assert RUN == stage.bystander.instances.load(ONE).header.run_id
    assert [] == keys(stage.store, f"u/{SECOND_RUN}", f"p/{SECOND_RUN}")
    assert 1 == len(keys(stage.store, "c/"))


def test_a_refused_signal_is_not_pending(stage: Stage) -> None:
    """Raise, and give its number to the next one."""
    with pytest.raises(RefusedRowError):
        stage.worker.backend.signals.send(ONE, "go", TOO_LONG)

    assert 2 == stage.worker.backend.signals.send(ONE, "go", b"")
    assert [1, 2] == [signal.seq for signal in stage.bystander.signals.pending(ONE)]
    assert 2 == len(keys(stage.store, "g/"))
