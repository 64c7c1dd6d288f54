"""How work gets stuck or doubled elsewhere: one kind of weather for each story, and it ends well.

In each of them all laws hold at every step, also that every wait has a reason that can be told.
"""

from __future__ import annotations

import dataclasses
from collections import Counter

from sayiir_core.snapshot.head import InstanceState
from sayiir_pytest.fleet import ROUGH, Faults, Fleet

SEEDS = range(10)


def _tell(faults: Faults, *, runners: int = 1) -> Counter[str]:
    """Run the seeds, in which every instance must end as it has to; add up what happened."""
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        fleet = Fleet(seed, faults=faults, runners=runners)
        report = fleet.run()
        assert report.ends.total() == 3
        seen += report.ends + report.requests
        seen["deaths"] += report.deaths
        seen["charges"] += fleet.watch.charges
        seen["refused"] += report.refused
        seen["repeated"] += report.repeated_bodies
    return seen


def test_what_a_killed_worker_held_is_taken_over() -> None:
    """By the other workers alone: there is nothing else that could notice."""
    seen = _tell(Faults(death=0.03), runners=0)
    assert seen["deaths"] > 20
    assert seen["charges"] > 0


def test_recoveries_that_race_strand_nothing() -> None:
    """Late and doubled calls of several reapers, releases and reconciliations overtake each other.

    So do runners that would resume by hand what workers already take over.
    """
    seen = _tell(Faults(death=0.03, late=0.1, doubled=0.2, slow=0.1), runners=3)
    assert seen["charges"] > 0
    assert seen["owned"] > 0


def test_the_dead_leave_nothing_running_and_take_no_slot() -> None:
    """Whatever a worker holds that is no longer its own, it lets go; nothing stays "running"."""
    for seed in SEEDS:
        fleet = Fleet(seed, faults=Faults(death=0.03, partition=0.03, pause=0.02, replaced=0.5))
        fleet.run()
        heads = [fleet.backend.instances.load(each) for each in fleet.submitted]
        live = {view.session_id for view in fleet.backend.sessions.live()}
        held = {c.session for head in heads for c in head.cursors.values()} - {None}
        assert [] == [head for head in heads if head.header.state is InstanceState.RUNNING]
        assert held <= live


def test_who_comes_back_after_its_lease_writes_nothing_any_more() -> None:
    """It was taken for dead while it stood still, and still believes that it holds its work."""
    seen = _tell(Faults(pause=0.03, pause_seconds=90, slow=0.2, slow_seconds=20))
    assert seen["charges"] > 0
    assert seen["refused"] > 0


def test_at_every_moment_somebody_can_say_why_it_is_stuck() -> None:
    """Under pauses, cancels, failures, retries and deaths, with a worker that serves only some."""
    seen = _tell(dataclasses.replace(ROUGH, retried=0.5, replaced=0.3), runners=2)
    assert min(seen[it] for it in ("retried", "replaced", "owned", "cancelled", "failed")) > 0


def test_a_run_is_replaced_under_its_workers_hands() -> None:
    """The old run's bodies may still run; nothing of theirs arrives in the new one."""
    seen = _tell(Faults(replaced=0.8, latency=0.2))
    assert seen["replaced at work"] > 5
    assert seen["refused"] > 0


def test_one_bad_row_delays_nobody_else() -> None:
    """The store fails on whole batches that hold it, or refuses it for good."""
    seen = _tell(Faults(refused=0.3, broken=0.8))
    assert min(seen["refused"], seen["refused rows"], seen["broken rows"]) > 0
    assert seen["charges"] == 0


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
