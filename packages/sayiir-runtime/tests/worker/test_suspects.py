"""Which bodies may be charged with the death of a worker's process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sayiir_core.authoring import Flow
from sayiir_core.engine.outcome import Started
from sayiir_core.ids import InstanceId, RunId, SessionId
from sayiir_core.snapshot.answer import COMMITTED, Claim
from sayiir_core.snapshot.effect import Lease, Start
from sayiir_core.snapshot.head import Cursor
from sayiir_core.snapshot.reference import INPUT
from sayiir_runtime.payloads import default_codec
from sayiir_runtime.worker.desk import Desk
from sayiir_runtime.worker.serving import Serving

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def add_one(value: int) -> int:
    """Be an innocent body."""
    return value + 1


@pytest.fixture
def desk() -> Desk:
    """Make a desk of a worker with room for four bodies."""
    workflow: Any = Flow[int, int]("suspects").then(add_one).build()
    return Desk(
        Serving([workflow], default_codec()),
        concurrency=4,
        aging_interval=timedelta(seconds=300),
        clock=lambda: NOW,
        monotonic=lambda: 0.0,
    )


def claims(desk: Desk, number: int, *, deaths: int) -> list[Claim]:
    """Return claims on cursors whose process has died so often."""
    (identity,) = desk.serving.programs
    return [
        Claim(
            Lease(InstanceId(f"i{n}"), RunId(f"r{n}"), 0, (), SessionId("s"), 1),
            identity,
            Cursor(
                0,
                (),
                0,
                (),
                INPUT,
                available_at=NOW,
                deaths=tuple(SessionId(f"dead{d}") for d in range(deaths)),
            ),
        )
        for n in range(number)
    ]


def marked(desk: Desk) -> int:
    """Commit what has ended, which is all marks; return how many."""
    batch = desk.batch()
    assert all(type(held.outcome) is Started for held in batch)
    assert all(type(held.checkpoint.effects[0]) is Start for held in batch if held.checkpoint)
    desk.answered(batch, [COMMITTED] * len(batch))
    return len(batch)


def test_no_more_are_marked_than_can_start(desk: Desk) -> None:
    desk.admit(claims(desk, 10, deaths=1), 10)

    assert desk.take(is_async=False) is None
    assert marked(desk) == 4
    assert [desk.take(is_async=False) is None for _ in range(5)] == [False] * 4 + [True]
    assert desk.batch() == []


def test_one_suspect_is_marked_at_a_time(desk: Desk) -> None:
    desk.admit(claims(desk, 3, deaths=2), 10)

    assert desk.take(is_async=False) is None
    assert marked(desk) == 1
    first = desk.take(is_async=False)
    assert first is not None
    assert desk.take(is_async=False) is None
    assert desk.batch() == []


def test_the_next_suspect_waits_until_the_first_is_stored(desk: Desk) -> None:
    desk.admit(claims(desk, 2, deaths=2), 10)
    desk.take(is_async=False)
    marked(desk)
    first = desk.take(is_async=False)
    assert first is not None
    attempt = first.begin(1, desk.clock)
    attempt.run()
    desk.ended(first, attempt)

    batch = desk.batch()
    assert desk.waiting(is_async=False) == 0
    desk.answered(batch, [COMMITTED])
    assert desk.waiting(is_async=False) == 1


def test_what_was_never_delivered_in_vain_needs_no_mark(desk: Desk) -> None:
    desk.admit(claims(desk, 4, deaths=0), 10)

    assert [desk.take(is_async=False) is None for _ in range(4)] == [False] * 4
