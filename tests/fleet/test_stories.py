"""How work gets stuck or doubled elsewhere: one kind of weather for each story, and it ends well."""

from __future__ import annotations

from collections import Counter

from sayiir_pytest.fleet import Faults, Fleet

SEEDS = range(10)


def _tell(faults: Faults) -> Counter[str]:
    """Run the seeds, in which every instance must end as it has to; add up what happened."""
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        fleet = Fleet(seed, faults=faults)
        report = fleet.run()
        assert report.ends.total() == 3
        seen += report.ends
        seen["deaths"] += report.deaths
        seen["charges"] += fleet.watch.charges
        seen["refused"] += report.refused
        seen["repeated"] += report.repeated_bodies
    return seen


def test_what_a_killed_worker_held_is_taken_over() -> None:
    seen = _tell(Faults(death=0.03))
    assert seen["deaths"] > 20
    assert seen["charges"] > 0


def test_recoveries_that_race_strand_nothing() -> None:
    """Late and doubled calls of several reapers, releases and reconciliations overtake each other."""
    assert _tell(Faults(death=0.03, late=0.1, doubled=0.2, slow=0.1))["charges"] > 0


def test_a_healthy_worker_is_not_taken_for_dead() -> None:
    """It stands still for less than its lease: nobody takes over, and nothing runs twice."""
    seen = _tell(Faults(pause=0.01, pause_seconds=12))
    assert seen["charges"] == seen["worker died"] == 0


def test_an_outage_of_the_store_fails_nothing() -> None:
    """Whoever finds the store again first must not call the others dead for it."""
    seen = _tell(Faults(outage=0.02, pause_seconds=60))
    assert seen["worker died"] == seen["deaths"] == 0


def test_lost_hints_delay_and_lose_nothing() -> None:
    seen = _tell(Faults(hint_lost=1.0))
    assert seen["repeated"] == seen["refused"] == 0


def test_nothing_runs_twice_and_nothing_is_refused_on_a_good_day() -> None:
    """Not even while claims, commits and reconciliations are slow and cross each other."""
    seen = _tell(Faults(latency=0.5))
    assert seen["repeated"] == seen["refused"] == seen["charges"] == 0
