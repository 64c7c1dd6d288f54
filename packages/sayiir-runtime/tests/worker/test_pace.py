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
    pace.note(100.004, CONCURRENCY - 1)
    too_few = pace.target(100.005)
    pace.note(100.005)

    assert CONCURRENCY == too_few
    assert CONCURRENCY + 639 <= pace.target(100.005) <= CONCURRENCY + 640


def test_slow_bodies_that_end_together_are_no_rate() -> None:
    """Hold no more ahead than runs at once, although all of them end in one moment."""
    pace = started()
    for tenth in range(1, 10):
        pace.target(100.0 + tenth / 10)
    pace.note(100.9, CONCURRENCY)
    at_once = pace.target(100.901)
    later = pace.target(101.0)

    assert CONCURRENCY == at_once
    assert CONCURRENCY + 32 >= later


def test_a_worker_that_was_idle_learns_its_rate_again() -> None:
    """Start the window when there is something to do, not when it was last looked at."""
    pace = started(100.0)
    pace.target(160.0)
    pace.begin(160.02)
    pace.note(100.9, CONCURRENCY)

    assert CONCURRENCY + 300 < pace.target(160.03)


def test_a_few_bodies_of_a_small_worker_are_no_rate() -> None:
    """One quick body of a worker that runs one at a time says nothing about the next."""
    pace = Pace(1)
    pace.begin(100.0)
    pace.note(100.003)

    assert 1 == pace.target(100.003)


def test_what_was_taken_ahead_waits_less_when_nothing_ends() -> None:
    """Its worker was quick and is not any more; others may be free."""
    pace = started()
    pace.note(100.1, CONCURRENCY)

    assert [5.0, 0.5, 0.25] == [
        pace.patience(100.5, 5.0),
        pace.patience(100.6, 5.0),
        pace.patience(100.6, 0.25),
    ]
