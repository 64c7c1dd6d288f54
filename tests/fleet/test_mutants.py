"""The simulation finds each deliberate bug, by the law that names it, within a few seeds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest

from sayiir_pytest.fleet import ROUGH, Faults, Fleet, Parts, Violation, bounds
from tests.fleet import mutant_stores as stores
from tests.fleet import mutants as the

POOL = dataclasses.replace(ROUGH, replaced=0, refused=0, broken=0, retried=0)
"""Weather in which nothing but workers and the store goes wrong."""

DEADLY = dataclasses.replace(POOL, poison=0.4, death=0.03)
"""Weather in which several bodies are under suspicion at a time."""

RESTARTS = Faults(restart=0.05, latency=0.3)
"""Nothing goes wrong, but workers are replaced all the time."""

BUSY = dataclasses.replace(ROUGH, retried=0.8, replaced=0.5, refused=0.2, broken=0.5, paused=0.8)
"""Weather in which much is asked from outside."""

LATE = dataclasses.replace(POOL, late=0.2, doubled=0.2, slow=0.1)
"""Weather in which requests overtake each other."""

LOSSY = dataclasses.replace(POOL, lost=0.3, death=0)
"""Weather in which many requests never arrive."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A mutant, what the violation must say, and in what kind of story to look for it."""

    parts: Parts
    law: str
    seeds: int = 100
    faults: Faults = POOL
    instances: int = 3
    workers: int = 3
    runners: int = 0


def _store(
    law: str, *, faults: Faults = POOL, runners: int = 0, workers: int = 3, **ports: type
) -> Case:
    return Case(
        parts=Parts(backend=stores.store_with(**ports)),
        law=law,
        faults=faults,
        runners=runners,
        workers=workers,
    )


CASES = {
    "a commit ignores the fence": _store("law 4", checkpoints=stores.IgnoresFence),
    "a commit ignores the seq": _store("law 3", checkpoints=stores.IgnoresSeq),
    "a last arrival is not counted": _store(
        "wait for nobody", checkpoints=stores.CountsTwoArrivalsAsOne
    ),
    "a claim gives what is held": _store("cannot be claimed", claims=stores.GrantsWhatIsHeld),
    "a claim gives foreign lanes": _store("does not serve", claims=stores.GivesForeignLanes),
    "a claim gives no new fence": _store("given twice", claims=stores.GivesNoNewFence),
    "a claim gives the worst first": _store("order of the queue", claims=stores.GivesTheWorstFirst),
    "the living are reaped": _store("law 6", sessions=stores.ReapsTheLiving),
    "nobody is reaped": _store("session of the dead", sessions=stores.NeverReaps),
    "no death is counted": _store("counted wrongly", sessions=stores.CountsNoDeaths),
    "a death is charged to what is not marked": _store(
        "counted wrongly", faults=DEADLY, sessions=stores.ChargesWhatWasNotMarked
    ),
    "a worker ends those of its name": _store(
        "ended others", sessions=stores.EndsThoseOfTheSameName
    ),
    "a pause loses a child": _store("wait for nobody", control=stores.LosesAChildAtAPause),
    "a replaced run leaves its signals": _store(
        "left something", faults=BUSY, instances=stores.KeepsOldSignals
    ),
    "a write of a replaced run is taken": _store(
        "law 4", faults=BUSY, workers=1, checkpoints=stores.TakesWritesOfReplacedRuns
    ),
    "a worker keeps what it has lost": Case(
        parts=Parts(desk=the.KeepsWhatIsLost), law="a place is taken", faults=BUSY
    ),
    "what still runs is retried": _store(
        "still runs was retried", faults=BUSY, control=stores.RetriesWhatStillRuns
    ),
    "a retry revives only what failed": _store(
        "more than it must, or less", faults=BUSY, control=stores.RevivesOnlyWhatFailed
    ),
    "a retry counts old attempts": _store(
        "more than it must, or less", faults=BUSY, control=stores.RetriesOnTheOldCount
    ),
    "a runner owns what others hold": _store(
        "while others hold it", runners=1, ownership=stores.OwnsWhatOthersHold
    ),
    "a runner ends the ownership of another": _store(
        "does not own", runners=3, ownership=stores.DisownsForAnyone
    ),
    "a pool takes what is owned": _store(
        "its run is owned", runners=1, claims=stores.PoolsTakeTheOwned
    ),
    "the dead own": _store(
        "owned by an ended session", runners=3, sessions=stores.LeavesOwnersDead
    ),
    "a runner keeps what it cannot give back": Case(
        parts=Parts(runner=the.KeepsWhatItCannotGiveBack),
        law="does not drive it",
        faults=LOSSY,
        instances=10,
        runners=3,
    ),
    "a thread never rests": Case(parts=Parts(committer=the.NeverRests), law="somebody spins"),
    "a late result is taken": Case(
        parts=Parts(desk=the.TakesLateResults), law="came after its timeout"
    ),
    "a body without a cursor is not given up": Case(
        parts=Parts(desk=the.GivesUpOnlyWhatIsLate), law="nobody gave it up", faults=LATE
    ),
    "nobody explains a join": Case(
        parts=Parts(explain=the.silent_about_joins), law="nobody can say why"
    ),
    "what nobody serves is called claimable": Case(
        parts=Parts(explain=the.hopes_for_workers), law="is said of what is served", workers=1
    ),
    "nothing is timed out": Case(
        parts=Parts(desk=the.NeverTimesOut), law="runs on after its timeout"
    ),
    "a timeout comes too early": Case(
        parts=Parts(desk=the.TimesOutTooEarly), law="before its time"
    ),
    "what is refused is tried for ever": Case(
        parts=Parts(desk=the.TriesWhatIsRefusedForEver), law="tried for ever", faults=BUSY
    ),
    "a bad row takes its neighbours with it": Case(
        parts=Parts(committer=the.SendsABadBatchAgain), law="with its neighbours", faults=BUSY
    ),
    "a worker goes on when held": Case(
        parts=Parts(desk=the.GoesOnWhenHeld), law="told that it is held", faults=BUSY
    ),
    "an unanswered claim is kept": Case(
        parts=Parts(claimer=the.NeverReleasesAClaim), law="does not know"
    ),
    "nothing is reconciled": Case(parts=Parts(claimer=the.NeverReconciles), law="does not know"),
    "a worker looks at hints only": Case(
        parts=Parts(claimer=the.LooksAtHintsOnly), law="nobody takes it"
    ),
    "silence is success": Case(parts=Parts(committer=the.TakesSilenceForSuccess), law="law 1"),
    "silence is failure": Case(
        parts=Parts(committer=the.TakesSilenceForFailure), law="nobody asks again"
    ),
    "it is asked again under a new seq": Case(
        parts=Parts(committer=the.AsksAgainUnderANewSeq), law="recorded twice"
    ),
    "no mark is stored": Case(parts=Parts(desk=the.MarksNothing), law="without a mark"),
    "a worker that drains forgets": Case(
        parts=Parts(desk=the.ForgetsWhenItDrains), law="still holds", faults=RESTARTS, instances=10
    ),
    "suspects wait with their mark": Case(
        parts=Parts(desk=the.MarksTooEarly), law="innocent", faults=DEADLY, instances=10, workers=2
    ),
    "suspects run beside each other": Case(
        parts=Parts(desk=the.KeepsSuspectsTogether),
        law="beside another",
        faults=DEADLY,
        instances=10,
        workers=2,
    ),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", CASES)
def test_the_simulation_finds(name: str) -> None:
    _find(CASES[name])


def _find(case: Case) -> None:
    """Look for a violation of the law that names the bug; one bug may break other laws as well."""
    others: list[str] = []
    for seed in range(case.seeds):
        try:
            _fleet(case, seed).run()
        except Violation as violation:
            said = str(violation).splitlines()[0]
            if case.law in said:
                return
            others.append(said)
    pytest.fail(f"not found within {case.seeds} seeds, but {others[:5]}")


def _fleet(case: Case, seed: int) -> Fleet:
    return Fleet(
        seed,
        workers=case.workers,
        runners=case.runners,
        instances=case.instances,
        faults=case.faults,
        parts=case.parts,
    )


UNANSWERED = Faults(unanswered=0.3)
"""Everything is done, but many an answer is lost."""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow a worker three seconds in which it holds what it does not know.

    Sooner or later every worker reconciles, so the bound for all weather finds no mutant here.
    """
    monkeypatch.setattr(bounds, "_UNKNOWN_SECONDS", 3.0)


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("impatient")
def test_the_simulation_finds_that_branches_of_a_repeated_fork_are_forgotten() -> None:
    parts = Parts(desk=the.ForgetsWhatARepeatLeavesOut)
    _find(Case(parts=parts, law="does not know", faults=UNANSWERED, instances=6))


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("impatient")
def test_the_product_soon_gives_back_the_branches_of_a_repeated_fork() -> None:
    for seed in range(20):
        Fleet(seed, instances=6, faults=UNANSWERED).run()


@pytest.mark.timeout(300)
def test_the_product_passes_where_mutants_are_looked_for() -> None:
    for seed in range(20):
        Fleet(seed, workers=2, instances=10, faults=DEADLY).run()


def test_a_rolling_restart_loses_nothing_and_charges_nobody() -> None:
    for seed in range(10):
        fleet = Fleet(seed, faults=RESTARTS)
        report = fleet.run()
        assert report.deaths == fleet.watch.charges == report.ends["worker died"] == 0
        assert any("leaves" in line for line in fleet.world.story)
