"""A failed attempt is left to other sessions for a moment, if there are any."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sayiir_core.ids import InstanceId, RunId, SessionId, WorkflowId
from sayiir_core.snapshot.apply import AVOIDANCE, apply
from sayiir_core.snapshot.avoidance import Avoidance
from sayiir_core.snapshot.birth import born
from sayiir_core.snapshot.control import pause, unpause
from sayiir_core.snapshot.effect import Checkpoint, Effect, Move, Retry, Sleep
from sayiir_core.snapshot.head import Cursor, CursorKey, Head, Header, Lane
from sayiir_core.snapshot.motion import grant
from sayiir_core.snapshot.reference import INPUT
from sayiir_core.workflow.definition import DefinitionIdentity

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ME, OTHER = SessionId("me"), SessionId("other")
IDENTITY = DefinitionIdentity(WorkflowId("w"), "hash")
LANE, GPU = Lane(IDENTITY, ""), Lane(IDENTITY, "gpu")
ROOT = CursorKey(0, ())
TICK = timedelta(microseconds=1)


def claimed() -> Head:
    """Return a run whose cursor this session holds."""
    header = Header(
        instance_id=InstanceId("i"),
        run_id=RunId("r"),
        identity=IDENTITY,
        policy_fingerprint="p",
        created_at=NOW,
    )
    head, _ = born(header, node=0, group="", priority=3)
    grant(head, head.cursors[ROOT], ME)
    return head


def commit(head: Head, *effects: Effect, by: SessionId = ME) -> Cursor:
    """Commit effects of the holder and return the stored cursor."""
    cursor = head.cursors[ROOT]
    claim = grant(head, cursor, by)
    apply(head, Checkpoint(claim.lease, cursor.seq, effects), NOW)
    return head.cursors[ROOT]


@pytest.mark.parametrize(
    ("back_off", "avoided_for"),
    [
        (timedelta(seconds=1), timedelta(seconds=1)),
        (AVOIDANCE, AVOIDANCE),
        (timedelta(hours=1), AVOIDANCE),
    ],
)
def test_a_retry_avoids_its_session_for_as_long_as_the_back_off_but_two_seconds_at_most(
    back_off: timedelta, avoided_for: timedelta
) -> None:
    """Count from the moment when it is due."""
    due = NOW + back_off

    cursor = commit(claimed(), Retry(due))

    assert timedelta(seconds=2) == AVOIDANCE
    assert (due, due + avoided_for) == (cursor.available_at, cursor.avoid_until)
    assert cursor.avoids(ME, due)
    assert cursor.avoids(ME, due + avoided_for - TICK)
    assert not cursor.avoids(ME, due + avoided_for)
    assert not cursor.avoids(OTHER, due)


@pytest.mark.parametrize("back_off", [timedelta(0), timedelta(seconds=-5)])
def test_a_retry_without_back_off_avoids_nobody(back_off: timedelta) -> None:
    """Nothing is left to others when it is due."""
    cursor = commit(claimed(), Retry(NOW + back_off))

    assert not cursor.avoids(ME, NOW)


def test_the_session_of_the_last_failure_is_avoided() -> None:
    """A second failure, elsewhere, takes the place of the first."""
    head = claimed()
    commit(head, Retry(NOW + timedelta(seconds=1)))

    cursor = commit(head, Retry(NOW + timedelta(seconds=5)), by=OTHER)

    assert not cursor.avoids(ME, NOW + timedelta(seconds=5))
    assert cursor.avoids(OTHER, NOW + timedelta(seconds=6))


def test_a_move_ends_the_avoidance() -> None:
    """What follows a success may run anywhere."""
    head = claimed()
    commit(head, Retry(NOW + timedelta(seconds=1)))

    cursor = commit(head, Move(1, (), INPUT, "", 3), Sleep(NOW + timedelta(seconds=1)))

    assert (None, None) == (cursor.avoid, cursor.avoid_until)


def test_a_pause_does_not_end_the_avoidance() -> None:
    """It is a matter of time alone."""
    head = claimed()
    cursor = commit(head, Retry(NOW + timedelta(seconds=1)))

    pause(head, reason=None, by=None)
    unpause(head)

    assert cursor.avoids(ME, NOW + timedelta(seconds=1))


def test_only_lanes_that_another_session_serves_are_passed_over() -> None:
    """Elsewhere nobody but the avoided session would take the cursor."""
    serving = [(ME, (LANE, GPU)), (OTHER, (GPU,)), (SessionId("runner"), ())]
    avoidance = Avoidance(ME, lambda: serving)

    assert avoidance.passes_over(GPU, ME)
    assert not avoidance.passes_over(LANE, ME)
    assert not avoidance.passes_over(GPU, OTHER)
    assert not avoidance.passes_over(GPU, None)


def test_the_sessions_are_asked_for_once_and_only_if_it_matters() -> None:
    """A claim without a failed attempt pays nothing."""
    asked: list[bool] = []

    def serving() -> Iterator[tuple[SessionId, tuple[Lane, ...]]]:
        asked.append(True)
        yield OTHER, (LANE,)

    avoidance = Avoidance(ME, serving)
    avoidance.passes_over(LANE, None)
    avoidance.passes_over(LANE, OTHER)
    before = len(asked)

    assert avoidance.passes_over(LANE, ME)
    assert avoidance.passes_over(LANE, ME)
    assert (0, 1) == (before, len(asked))
