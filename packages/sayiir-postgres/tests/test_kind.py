"""Which checkpoints the fast path takes, and in which company."""

from datetime import timedelta

import pytest

from sayiir_core.ids import InstanceId, RunId, SessionId
from sayiir_core.snapshot.effect import (
    Arrive,
    AwaitSignal,
    Bind,
    Checkpoint,
    Effect,
    Fail,
    Finish,
    Lease,
    Retry,
    Sleep,
    Start,
)
from sayiir_core.snapshot.head import CursorKey
from sayiir_core.snapshot.reference import INPUT
from sayiir_postgres.kind import Kind, split
from sayiir_pytest.clock import START
from sayiir_pytest.conformance.sample import ERROR, failed, move, spawn, step, succeeded

LATER = START + timedelta(hours=1)
PARENT = CursorKey(0, ())


def checkpoint(
    *effects: Effect, run: str = "run", scope: int = 0, session: str = "s", keep: bool = True
) -> Checkpoint:
    """Return a checkpoint of a made-up lease."""
    lease = Lease(InstanceId("it"), RunId(run), scope, (), SessionId(session), 1)
    return Checkpoint(lease, 0, effects, keep)


@pytest.mark.parametrize(
    ("effects", "kind"),
    [
        (step(), Kind.MOVE),
        ((move(1),), Kind.MOVE),
        ((failed(0), move(1)), Kind.MOVE),
        ((succeeded(0), move(1), Sleep(LATER)), Kind.MOVE),
        ((succeeded(0), move(9), spawn(1, 2)), Kind.FORK),
        ((failed(0), Retry(LATER)), Kind.RETRY),
        ((Start(),), Kind.START),
        ((succeeded(0), Arrive(INPUT, PARENT)), Kind.ARRIVE),
        ((Finish(INPUT),), Kind.FINISH),
    ],
)
def test_the_usual_checkpoints_are_plain(effects: tuple[Effect, ...], kind: Kind) -> None:
    """Take each with or without its record, where it may be without."""
    fast, slow = split([(7, checkpoint(*effects, scope=1))])

    assert [(7, kind)] == [(it.numbered[0], it.kind) for it in fast]
    assert [] == slow


@pytest.mark.parametrize(
    "effects",
    [
        (),
        (succeeded(0),),
        (succeeded(0), Retry(LATER)),
        (Retry(LATER),),
        (succeeded(0), Start()),
        (failed(0), Fail(ERROR)),
        (succeeded(0), move(1), AwaitSignal("go", None)),
        (succeeded(0), move(1), Fail(ERROR)),
        (succeeded(0), Bind(3, (), INPUT), move(1)),
        (succeeded(0), succeeded(1), move(2)),
    ],
)
def test_everything_else_is_slow(effects: tuple[Effect, ...]) -> None:
    """Leave to the transaction what one statement does not know."""
    fast, slow = split([(0, checkpoint(*effects))])

    assert ([], 1) == (fast, len(slow))


def test_a_start_that_releases_is_slow() -> None:
    """Know a start only as the mark of a body that begins."""
    assert [] == split([(0, checkpoint(Start(), keep=False))])[0]


@pytest.mark.parametrize(
    "company",
    [
        [checkpoint(*step()), checkpoint(*step())],
        [checkpoint(*step(), scope=1), checkpoint(failed(0), Fail(ERROR), scope=2)],
        [checkpoint(Arrive(INPUT, PARENT), scope=1), checkpoint(*step())],
        [checkpoint(Finish(INPUT)), checkpoint(*step(), scope=1)],
    ],
    ids=["one cursor twice", "a slow one of the run", "a parent that moves", "an end among others"],
)
def test_all_checkpoints_of_a_run_go_the_same_way(company: list[Checkpoint]) -> None:
    """Keep the order of the records of a run, and change no cursor twice; others stay fast."""
    other = checkpoint(*step(), run="other")

    fast, slow = split(list(enumerate([*company, other])))

    assert [2] == [it.numbered[0] for it in fast]
    assert [0, 1] == [position for position, _ in slow]


def test_branches_of_one_run_may_go_together() -> None:
    """Take arrivals at one parent, and steps of other branches, in one statement."""
    company = [
        checkpoint(Arrive(INPUT, PARENT), scope=1),
        checkpoint(succeeded(2), Arrive(INPUT, PARENT), scope=2),
        checkpoint(*step(), scope=3),
    ]

    fast, slow = split(list(enumerate(company)))

    assert (3, []) == (len(fast), slow)


def test_one_session_at_a_time_is_fast() -> None:
    """Write for the session of the first checkpoint, and leave others to the transaction."""
    one, two = checkpoint(*step()), checkpoint(*step(), run="other", session="t")

    fast, slow = split([(0, one), (1, two)])

    assert ([0], [1]) == ([it.numbered[0] for it in fast], [position for position, _ in slow])
