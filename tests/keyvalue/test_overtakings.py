"""The key-value backend keeps its word when somebody else is faster, at any chosen write."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sayiir_core.errors import SessionEndedError
from sayiir_core.snapshot.answer import REPLAYED, Claim, Committed, Lost, LostReason
from sayiir_core.snapshot.effect import Checkpoint
from sayiir_core.snapshot.head import CursorKey, InstanceState
from sayiir_core.snapshot.reference import SignalRef, StepRef
from sayiir_pytest.conformance.sample import move, succeeded
from sayiir_pytest.keyvalue import Crash
from tests.keyvalue.story import (
    ONE,
    RUN,
    SECOND_RUN,
    TTL,
    Stage,
    keys,
    new,
)


@pytest.fixture
def stage() -> Stage:
    """Return a run that waits for its first claim."""
    return Stage()


@pytest.mark.parametrize(("operation", "prefix"), [("put", "w/"), ("put_if", "i/")])
def test_of_two_contents_under_one_guard_the_first_stands(
    stage: Stage, operation: str, prefix: str
) -> None:
    """Answer the second as a repetition, and keep nothing of it."""
    (claim,) = stage.worker.claim()
    theirs, mine = stage.first_step(claim, b"theirs"), stage.first_step(claim, b"mine")
    stage.flaky.interfere_before(
        operation, prefix, lambda: stage.bystander.checkpoints.commit([theirs])
    )

    answers = stage.worker.backend.checkpoints.commit([mine])

    assert [REPLAYED] == answers
    assert [b"theirs"] == stage.bystander.results.payloads(ONE, RUN, [StepRef(0)])
    assert 1 == len(keys(stage.store, "w/"))


def test_the_same_content_twice_under_one_guard_is_kept(stage: Stage) -> None:
    """Never take a row away whose twin was acknowledged."""
    (claim,) = stage.worker.claim()
    checkpoint = stage.first_step(claim, b"same")
    stage.flaky.interfere_before(
        "put_if", "i/", lambda: stage.bystander.checkpoints.commit([checkpoint])
    )

    answers = stage.worker.backend.checkpoints.commit([checkpoint])

    assert [REPLAYED] == answers
    assert [b"same"] == stage.bystander.results.payloads(ONE, RUN, [StepRef(0)])


def test_a_commit_overtaken_by_a_replacement_changes_nothing(stage: Stage) -> None:
    """Lose, and leave no row of the former run."""
    (claim,) = stage.worker.claim()
    late = stage.first_step(claim, b"late")
    stage.flaky.interfere_before(
        "put_if",
        "i/",
        lambda: stage.bystander.instances.create([new(SECOND_RUN, replace=True)]),
    )

    answers = stage.worker.backend.checkpoints.commit([late])

    assert [Lost(LostReason.REPLACED)] == answers
    assert SECOND_RUN == stage.bystander.instances.load(ONE).header.run_id
    assert [] == keys(stage.store, "w/", f"u/{RUN}", f"p/{RUN}", f"x/{RUN}")


def test_a_commit_overtaken_by_a_signal_keeps_both(stage: Stage) -> None:
    """Apply the checkpoint to what the signal made of the instance."""
    (claim,) = stage.worker.claim()
    stage.flaky.interfere_before(
        "put_if", "i/", lambda: stage.bystander.signals.send(ONE, "go", b"another")
    )

    answers = stage.worker.backend.checkpoints.commit([stage.first_step(claim, b"mine")])

    assert [Committed()] == answers
    assert [1, 2] == [signal.seq for signal in stage.bystander.signals.pending(ONE)]
    assert [b"mine"] == stage.bystander.results.payloads(ONE, RUN, [StepRef(0)])
    assert 1 == len(keys(stage.store, "w/"))


def test_of_two_overlapping_claims_one_gets_the_cursor(stage: Stage) -> None:
    """Give a cursor to the first and nothing to the second."""
    other = stage.other_worker()
    first: list[Claim] = []
    stage.flaky.interfere_before("put_if", "i/", lambda: first.extend(other.claim()))

    second = stage.worker.claim()

    assert 1 == len(first)
    assert [] == second


@pytest.mark.parametrize("how", ["end", "reap"])
@pytest.mark.parametrize("call", ["claim", "own"])
def test_a_session_that_ends_meanwhile_gets_nothing(stage: Stage, how: str, call: str) -> None:
    """Hold nothing under a session whose end has been completed, however late the write."""
    other = stage.other_worker()
    worker = stage.worker

    def end_it() -> None:
        if how == "end":
            stage.bystander.sessions.end(worker.session)
            return
        for _ in range(4):
            stage.clock.advance(TTL / 3)
            stage.bystander.sessions.renew(other.session)
        assert [worker.session] == stage.bystander.sessions.reap(other.session)

    stage.flaky.interfere_before("put_if", "i/", end_it)

    calls: dict[str, Callable[[], object]] = {
        "claim": worker.claim,
        "own": lambda: worker.backend.ownership.own(worker.session, ONE),
    }

    with pytest.raises(SessionEndedError):
        calls[call]()

    (claim,) = other.claim()
    assert ONE == claim.lease.instance_id
    assert () == claim.cursor.deaths


def test_a_release_amid_a_claims_last_write_is_found_by_the_next_claim(stage: Stage) -> None:
    """Do not remove the hint that the release has made, when the claim removes its own."""
    other = stage.other_worker()

    def end_the_worker() -> None:
        stage.bystander.sessions.end(stage.worker.session)

    stage.flaky.interfere_before("delete", "q/", end_the_worker)

    stage.worker.claim()

    assert 1 == len(other.claim())


def test_a_hint_without_need_is_removed_by_who_finds_it(stage: Stage) -> None:
    """Drop a hint of a revision that is past, and claim as if it was not there."""
    (hint,) = keys(stage.store, "q/")
    found = stage.store.get(hint)
    assert found is not None
    (claim,) = stage.worker.claim()
    stage.store.put(hint, found.value)

    again = stage.other_worker().claim()

    assert [] == again
    assert [] == keys(stage.store, "q/")
    assert (
        claim.lease.session == stage.bystander.instances.load(ONE).cursors[CursorKey(0, ())].session
    )


def test_an_interrupted_replacement_is_cleaned_up_without_the_new_signals(stage: Stage) -> None:
    """Remove the former run's rows at the next change, and nothing that came later."""
    worker = stage.worker
    (claim,) = worker.claim()
    worker.backend.checkpoints.commit([stage.first_step(claim, b"old")])
    stage.flaky.interfere_before("delete", "", _crash)
    with pytest.raises(Crash):
        worker.backend.instances.create([new(SECOND_RUN, replace=True)])

    stage.bystander.signals.send(ONE, "go", b"new")

    assert [] == keys(stage.store, f"w/{RUN}", f"x/{RUN}", f"u/{RUN}", f"p/{RUN}")
    (signal,) = stage.bystander.signals.pending(ONE)
    other = stage.other_worker()
    other.drive()
    assert [b"new"] == stage.bystander.results.payloads(ONE, SECOND_RUN, [SignalRef(signal.seq)])
    assert InstanceState.COMPLETED is stage.bystander.instances.load(ONE).header.state


def _crash() -> None:
    raise Crash


def test_an_interrupted_end_is_completed_by_the_next_reaper(stage: Stage) -> None:
    """Release, uncounted, what a session held that was ended in good order."""
    stage.worker.claim()
    stage.flaky.interfere_before("put_if", "i/", _crash)
    with pytest.raises(Crash):
        stage.worker.backend.sessions.end(stage.worker.session)
    other = stage.other_worker()
    for _ in range(4):
        stage.clock.advance(TTL / 3)
        assert stage.bystander.sessions.renew(other.session)

    reaped = stage.bystander.sessions.reap(other.session)

    assert [] == reaped
    (claim,) = other.claim()
    assert () == claim.cursor.deaths


def test_a_pruned_instance_leaves_only_a_counter(stage: Stage) -> None:
    """Remove every row, payload and hint; the numbering of the inbox goes on."""
    stage.worker.drive()
    stage.worker.backend.sessions.end(stage.worker.session)
    stage.clock.advance(1)

    pruned = stage.bystander.instances.prune(finished_before=stage.clock.now(), limit=9)

    assert 1 == pruned
    assert [] == keys(stage.store, "u/", "c/", "p/", "w/", "x/", "z/", "g/", "y/", "q/", "h/")
    assert 2 == stage.bystander.signals.send(ONE, "go", b"")


def test_the_document_of_a_run_does_not_grow_with_its_history(stage: Stage) -> None:
    """Keep its size after ten steps and after a hundred."""
    (claim,) = stage.worker.claim()
    sizes: list[int] = []

    for node in range(100):
        effects = succeeded(node, output=b"x" * 100), move(node + 1)
        stage.worker.backend.checkpoints.commit(
            [Checkpoint(claim.lease, claim.cursor.seq + node, effects)]
        )
        found = stage.store.get("i/one")
        assert found is not None
        sizes.append(len(found.value))

    assert abs(sizes[99] - sizes[9]) < 20
    assert 100 == len(stage.bystander.results.steps(RUN, limit=1000).rows)
