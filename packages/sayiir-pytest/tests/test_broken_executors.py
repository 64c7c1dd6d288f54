"""The conformance suite of executors is tested itself, on executors with one bug each."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

FILE = Path(__file__).with_name("broken_executors") / "executors.py"

NAMED_BY = {
    "TestTurnsTuplesIntoLists": "test_a_value_comes_back_as_it_was",
    "TestLetsErrorsOfPickleEscape": "test_what_cannot_be_carried_is_an_encode_error",
    "TestStartsCountingAnew": "test_a_body_knows_itself",
    "TestLosesTheClass": "test_an_exception_arrives_as_it_was_raised",
    "TestLosesTheAncestors": "test_a_retry_policy_knows_an_exception_that_cannot_be_sent",
    "TestHidesTheCrash": "test_a_crash_is_an_error_of_its_task_alone",
    "TestTakesTheOthersAlong": "test_a_crash_is_an_error_of_its_task_alone",
    "TestCallsAgain": "test_a_body_is_called_once",
    "TestRunsOneAtATime": "test_bodies_run_beside_each_other",
    "TestRunsAtHome": "test_a_body_runs_in_another_process",
    "TestHoldsTheLockOfAll": "test_a_body_that_holds_the_interpreters_lock_holds_only_its_own",
    "TestNeverStops": "test_a_body_that_is_given_up_is_stopped",
    "TestStopsWaitingOnly": "test_a_body_that_is_given_up_is_stopped",
    "TestForgetsAnEarlyEnd": "test_a_body_that_was_given_up_early_does_not_run_on",
    "TestKillsTheNext": "test_giving_up_what_has_ended_disturbs_nobody",
    "TestLeavesThemRunning": "test_what_runs_when_it_is_closed_is_stopped",
    "TestRunsOnlyWhatItRefuses": "test_what_passes_the_gate_can_be_run",
}
"""Each broken executor with the test that must find its bug."""


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Run the named test of every broken executor, and return the complaints about each."""
    report = tmp_path_factory.mktemp("broken") / "report.xml"
    options = ["-p", "no:cacheprovider", "-p", "no:randomly", "-c", os.devnull, "-q"]
    run = subprocess.run(
        [
            *[sys.executable, "-m", "pytest", "--import-mode=importlib", *options],
            *[f"--rootdir={FILE.parent.parent}", f"--junitxml={report}"],
            *[f"{FILE}::{executor}::{test}" for executor, test in NAMED_BY.items()],
        ],
        env={**os.environ, "PYTHONPATH": str(FILE.parent.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert report.exists(), run.stdout + run.stderr
    found: dict[str, list[str]] = {executor: [] for executor in NAMED_BY}
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 - our own file
        for kind in ("failure", "error"):
            texts = [each.attrib["message"] for each in case.iter(kind)]
            found[case.attrib["classname"].rpartition(".")[2]] += texts
    return found


@pytest.mark.parametrize("executor", list(NAMED_BY))
def test_a_broken_executor_fails_the_test_that_names_its_bug(
    executor: str, complaints: dict[str, list[str]]
) -> None:
    """Each bug is found by the test whose name says what must hold."""
    assert complaints[executor], f"{NAMED_BY[executor]} did not notice {executor}"


def test_every_broken_executor_is_listed() -> None:
    """Forget no class of the file."""
    written = set(re.findall(r"^class (Test\w+)", FILE.read_text("utf-8"), re.MULTILINE))

    assert set(NAMED_BY) == written
