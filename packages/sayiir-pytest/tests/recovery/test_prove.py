"""A proof tries every boundary, judges by the rules, and says what it has done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sayiir_core.authoring import Flow, LoopResult, Workflow, get_task_context, task
from sayiir_core.policy import RetryPolicy
from sayiir_core.ports.backend import Backend
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.fleet.plans import draw_plan
from sayiir_pytest.recovery import Kind, RecoveryError, RecoveryReport, prove_recovery
from sayiir_pytest.strategies import CallLog, build, expected
from sayiir_runtime.memory import InMemoryBackend


def inc(value: int) -> int:
    return value + 1


def dbl(value: int) -> int:
    return value * 2


def total(got: dict[str, int]) -> int:
    return sum(got.values())


def turn(value: int) -> LoopResult[int]:
    return LoopResult.done(value) if value % 4 == 0 else LoopResult.again(value + 1)


@task(retries=RetryPolicy(3, 3600.0))
def flaky(value: int) -> int:
    context = get_task_context()
    assert context is not None
    if context.attempt < 3:
        raise ValueError("not yet")
    return value


async def slow(value: int) -> int:
    await asyncio.sleep(0)
    return value + 1


def everything() -> Workflow[Any, Any]:
    """Return a workflow with something of every kind."""
    napping = Flow("napping").delay("night", "12h").then(inc).build()
    return (
        Flow("everything")
        .then(slow)
        .fork()
        .branch(inc, dbl, name="work")
        .branch(napping, name="sleep")
        .join(total)
        .loop(turn)
        .then(flaky)
        .wait_for_signal("go", timeout="30d")
        .then(dbl)
        .build()
    )


def texts(report: RecoveryReport, driver: str = "runner") -> list[str]:
    return [trial.boundary.text for trial in report.trials if trial.driver == driver]


@pytest.fixture(scope="module")
def report() -> RecoveryReport:
    """Give the proof of everything in memory."""
    return prove_recovery(everything(), 1, signals=[("go", 5)], show=False)


def test_whatever_a_process_dies_at_the_run_ends_the_same(report: RecoveryReport) -> None:
    """No fault at any boundary, with both drivers."""
    assert [] == report.faults
    assert {"completed: 10"} == {
        str(trial.outcome) for trial in report.trials if trial.outcome.status == "completed"
    }
    assert report.check() is report


def test_every_boundary_that_was_seen_is_met_again(report: RecoveryReport) -> None:
    """Names, unlike call numbers, mean the same in a second run."""
    assert [] == [trial.boundary.text for trial in report.trials if not trial.is_reached]
    assert len(report.trials) == report.boundaries + 4


def test_boundaries_of_every_kind_are_tried(report: RecoveryReport) -> None:
    """A proof leaves no kind out, with either driver."""
    for driver in ("runner", "pool"):
        assert set(Kind) == {it.boundary.kind for it in report.trials if it.driver == driver}


@pytest.mark.parametrize(
    "text",
    [
        "before the creation of the run",
        "before slow",
        "after slow ran, before its checkpoint",
        "during the commit: slow done, fork_0 opened",
        "slow done, fork_0 opened, answer lost",
        "fork_0/work/dbl done, fork_0/work joins, answer lost",
        "after delay fork_0/sleep/night was over, before its checkpoint",
        "wake from fork_0/sleep/night stored, answer lost",
        "after the join of fork_0 ran, before its checkpoint",
        "join of fork_0 done, answer lost",
        "turn 1 of loop_0/turn done, answer lost",
        "after flaky failed, before its checkpoint",
        "before flaky (attempt 3)",
        "flaky done, parked at go for signal go, answer lost",
        "signal go sent just before: flaky done, parked at go for signal go, answer lost",
        "after go got its signal, before its checkpoint",
        "cancelled while total ran, answer lost",
        "lease lost while slow ran",
        "dbl done, run completed, answer lost",
    ],
)
def test_a_boundary_is_named_by_what_is_at_work(text: str, report: RecoveryReport) -> None:
    """Names tell paths, turns, attempts and what is stored, in words."""
    assert text in texts(report)


def test_a_cancelled_run_stays_cancelled(report: RecoveryReport) -> None:
    """Whoever died, and whatever ran when it was asked for."""
    cancels = [trial for trial in report.trials if trial.boundary.text.startswith("cancelled")]

    assert cancels
    assert {"cancelled"} == {trial.outcome.status for trial in cancels}


def test_what_was_in_flight_ran_again_and_nothing_else(report: RecoveryReport) -> None:
    """A linear step costs itself; with its answer lost not even that."""
    again = {
        trial.boundary.text: trial.again for trial in report.trials if trial.driver == "runner"
    }

    assert ("slow",) == again["after slow ran, before its checkpoint"]
    assert () == again["slow done, fork_0 opened, answer lost"]
    assert () == again["before slow"]
    assert ("slow",) == again["lease lost while slow ran"]


def test_months_of_waiting_take_no_time() -> None:
    """Delays, back-offs and deadlines are virtual."""
    workflow = Flow("long").then(inc).delay("a", "100d").then(dbl).delay("b", "200d").build()
    began = time.monotonic()

    report = prove_recovery(workflow, 1, show=False)

    assert report.ok
    assert timedelta(seconds=time.monotonic() - began) < timedelta(seconds=30)


def test_a_failing_run_fails_the_same_wherever_it_is_killed() -> None:
    """Its error is that of a node that can fail, and its retries are counted on."""

    @task(retries=RetryPolicy(1, 60.0))
    def fail(_value: int) -> int:
        raise ValueError("never")

    report = prove_recovery(Flow("failing").then(inc).then(fail).build(), 1, show=False)

    assert report.ok
    assert ("failed", "ValueError: never") == (report.expected.status, report.expected.error)
    assert "after fail failed, before its checkpoint" in texts(report)


def test_a_run_that_waits_for_ever_is_left_waiting() -> None:
    """A signal that nobody sends is an end of the proof, too."""
    report = prove_recovery(Flow("w").then(inc).wait_for_signal("never").build(), 1, show=False)

    assert report.ok
    assert "awaiting_signal" == report.expected.status


def test_outputs_may_be_compared_by_another_rule() -> None:
    """What differs from run to run by its nature is no fault if it is declared."""
    runs: Iterator[int] = iter(range(1000))
    workflow = Flow("numbered").then(lambda _: next(runs), name="number").build()

    strict = prove_recovery(workflow, 0, drivers=["runner"], show=False)
    lenient = prove_recovery(workflow, 0, drivers=["runner"], same=lambda *_: True, show=False)

    assert not strict.ok
    assert lenient.ok
    with pytest.raises(RecoveryError, match=r"it gave [0-9]+, expected 0"):
        strict.check()


def test_a_sample_of_the_boundaries_is_bounded_and_repeatable() -> None:
    """The report says of how many it is a sample."""
    first = prove_recovery(everything(), 1, limit=5, seed=3, drivers=["pool"], show=False)
    second = prove_recovery(everything(), 1, limit=5, seed=3, drivers=["pool"], show=False)

    assert 5 == len([trial for trial in first.trials if trial.boundary.place])
    assert texts(first, "pool") == texts(second, "pool")
    assert f"at 5 of {first.boundaries} boundaries" in str(first)


def test_the_table_has_a_line_per_boundary(capsys: pytest.CaptureFixture[str]) -> None:
    """It is printed unless that is not wanted."""
    report = prove_recovery(Flow("short").then(inc).build(), 1, drivers=["runner"])

    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert f"{report}\n" == printed
    assert lines[0] == (
        f"short on InMemoryBackend, killed by exception at {report.boundaries} of "
        f"{report.boundaries} boundaries; undisturbed it is completed: 2"
    )
    (line,) = [line for line in lines if "after inc ran, before its checkpoint" in line]
    assert ["runner", "completed", "inc", "ok"] == [line.split()[0], *line.split()[-3:]]
    assert lines[-1] == (
        "every trial ended the same, no recorded step ran again; in flight, so run again: inc"
    )


def test_a_store_that_dies_with_its_process_cannot_be_killed() -> None:
    """The refusal says what can."""
    with pytest.raises(ValueError, match=r"does not outlive its process.*mode='exception'"):
        prove_recovery(Flow("w").then(inc).build(), 1, mode="sigkill")


def test_bad_arguments_are_refused() -> None:
    """Before anything runs."""
    workflow = Flow("w").then(inc).build()
    wrong: Any = InMemoryBackend()

    with pytest.raises(TypeError, match="function from a clock to a backend"):
        prove_recovery(workflow, 1, backend=wrong)
    with pytest.raises(ValueError, match="drivers are runner, pool"):
        prove_recovery(workflow, 1, drivers=["walker"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="mode is 'exception' or 'sigkill'"):
        prove_recovery(workflow, 1, mode="poison")  # type: ignore[arg-type]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_generated_workflows_recover_with_both_drivers(seed: int) -> None:
    """The proof has no complaint about a sound store, whatever the workflow."""
    plan = draw_plan(Random(seed))
    outcome = expected(plan, 5)

    report = prove_recovery(
        build(plan, CallLog(), retry_delay=5),
        5,
        signals=outcome.signals,
        limit=12,
        seed=seed,
        show=False,
    )

    assert [] == report.faults
    assert outcome.status == report.expected.status


# Real deaths.


def sqlite_in(folder: Path) -> Any:
    def make(clock: VirtualClock) -> Backend:
        from sayiir_sqlite import SQLiteBackend

        return SQLiteBackend(str(folder / "proof.db"), synchronous="NORMAL", clock=clock)

    return make


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"signals": [("og", 5)]}, "never waits for a signal 'og'; it waits for 'go'"),
        ({"drivers": []}, "drivers are runner, pool, not none"),
        ({"limit": 0}, "1 at least, not 0"),
        ({"limit": -1}, "1 at least, not -1"),
    ],
)
def test_what_would_prove_less_than_it_seems_is_refused(
    options: dict[str, Any], complaint: str
) -> None:
    """A misspelt signal leaves the run at its wait, undisturbed or not, which looks like a proof."""
    with pytest.raises(ValueError, match=complaint):
        prove_recovery(everything(), 1, show=False, **options)


@pytest.mark.parametrize("driver", ["runner", "pool"])
def test_processes_that_are_really_killed_are_recovered_from(driver: Any, tmp_path: Path) -> None:
    """A fork of this process dies by SIGKILL at each boundary, the real worker's too."""
    report = prove_recovery(
        everything(),
        1,
        backend=sqlite_in(tmp_path),
        mode="sigkill",
        drivers=[driver],
        signals=[("go", 5)],
        limit=30,
        show=False,
    )

    assert [] == report.faults
    reached = [trial for trial in report.trials if trial.is_reached and trial.boundary.place]
    assert len(reached) >= 25


def test_a_double_effect_is_found_where_processes_are_really_killed(tmp_path: Path) -> None:
    """Effects are read from where they outlive the process that made them."""
    ledger = tmp_path / "ledger"
    ledger.touch()

    def charge(amount: int) -> int:
        with ledger.open("a") as lines:
            lines.write(f"{amount}\n")
        return amount

    report = prove_recovery(
        Flow("paying").then(inc).then(charge).build(),
        1,
        backend=sqlite_in(tmp_path),
        mode="sigkill",
        drivers=["runner"],
        effects=lambda: ledger.read_text().splitlines(),
        show=False,
    )

    assert [] == report.faults
    assert {"charge"} == {doubled.task for doubled in report.doubled}


async def rest_an_hour(value: int) -> int:
    await asyncio.sleep(3600)
    return value + 1


def test_a_coroutine_that_sleeps_takes_no_time_in_a_proof() -> None:
    """Not with a runner either, and beside a branch that does not sleep."""
    workflow = (
        Flow[int, Any]("rest")
        .then(rest_an_hour)
        .fork()
        .branch(rest_an_hour, name="slow")
        .branch(inc, name="quick")
        .join(total)
        .build()
    )
    began = time.monotonic()

    report = prove_recovery(workflow, 1, show=False)

    assert report.ok, str(report)
    assert {"runner", "pool"} == {trial.driver for trial in report.trials}
    assert time.monotonic() - began < 60
