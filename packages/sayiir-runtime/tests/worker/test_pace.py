"""How many cursors a worker holds ahead."""

from __future__ import annotations

from sayiir_runtime.worker.pace import Pace

CONCURRENCY = 32


def started(moment: float = 100.0) -> Pace:
    """Return the pace of a worker that has just begun to work."""
    pace = Pace(CONCURRENCY)
    pace.begin(moment)
    return pace


def test_a_worker_that_knows_nothing_holds_what_it_runs() -> None:
    """Leave the rest to workers that are free."""
    assert CONCURRENCY == Pace(CONCURRENCY).target(100.0)


def test_the_first_crew_of_bodies_tells_the_rate_at_once() -> None:
    """Hold ahead after 5 ms what runs in 100 ms, so that no slot waits for a whole window."""
    pace = started()
    pace.note(CONCURRENCY - 1)
    too_few = pace.target(100.005)
    pace.note(1)

    assert CONCURRENCY == too_few
    assert CONCURRENCY + 639 <= pace.target(100.005) <= CONCURRENCY + 640


def test_slow_bodies_that_end_together_are_no_rate() -> None:
    """Hold no more ahead than runs at once, although all of them end in one moment."""
    pace = started()
    for tenth in range(1, 10):
        pace.target(100.0 + tenth / 10)
    pace.note(CONCURRENCY)
    at_once = pace.target(100.901)
    later = pace.target(101.0)

    assert CONCURRENCY == at_once
    assert CONCURRENCY + 32 >= later


def test_a_worker_that_was_idle_learns_its_rate_again() -> None:
    """Start the window when there is something to do, not when it was last looked at."""
    pace = started(100.0)
    pace.target(160.0)
    pace.begin(160.02)
    pace.note(CONCURRENCY)

    assert CONCURRENCY + 300 < pace.target(160.03)
