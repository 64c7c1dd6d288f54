"""The conformance suite is tested itself: each broken store fails the test that names its bug."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).with_name("broken_stores")

NAMED_BY = {
    "checkpoints::TestDropsAFence": "test_a_guard_under_an_old_fence_changes_nothing",
    "checkpoints::TestLosesAnUpdate": "test_a_batch_may_carry_several_steps_of_one_cursor",
    "checkpoints::TestSpawnsWithoutTheHold": "test_children_of_a_held_run_are_born_held",
    "checkpoints::TestCountsTwoArrivalsAsOne": "test_all_arrivals_of_one_batch_are_counted",
    "checkpoints::TestCountsTwoArrivalsAsOneInGeneral": (
        "test_arrivals_in_batches_equal_arrivals_one_by_one"
    ),
    "checkpoints::TestAppliesAReplayTwice": "test_a_repeated_checkpoint_is_recognised",
    "checkpoints::TestForgetsToSayReplayed": "test_a_checkpoint_twice_in_one_batch_is_written_once",
    "checkpoints::TestKeepsAHeldCursor": (
        "test_a_commit_under_a_hold_is_stored_and_releases_the_cursor"
    ),
    "checkpoints::TestKeepsAHeldCursorInGeneral": "test_a_batch_equals_its_checkpoints_one_by_one",
    "signals::TestReordersSignals": "test_signals_of_one_name_are_consumed_first_in_first_out",
    "signals::TestReordersSignalsInGeneral": (
        "test_any_history_of_calls_leads_to_what_the_model_holds"
    ),
    "signals::TestDeliversAtTheDeadline": "test_a_signal_that_comes_at_the_deadline_comes_too_late",
    "signals::TestForgetsWhoWaits": "test_a_signal_that_races_a_park_is_delivered",
    "claims::TestSwallowsAnError": "test_an_ended_session_claims_nothing",
    "claims::TestDecidesOnAStaleRead": "test_each_due_cursor_is_claimed_by_exactly_one_of_many",
    "claims::TestGivesAnOwnedCursorToAPool": "test_owning_hides_a_run_from_the_pools",
    "claims::TestGivesAnOwnedCursorToAPoolInGeneral": (
        "test_any_history_of_calls_leads_to_what_the_model_holds"
    ),
    "claims::TestIgnoresPriorities": "test_priorities_decide_among_those_queued_together",
    "claims::TestReleasesWhatOthersHold": "test_leases_no_longer_held_are_skipped",
    "control::TestForgetsToHoldOnCancel": "test_queued_and_parked_work_is_cancelled_at_once",
    "control::TestForgetsToHoldOnCancelInGeneral": (
        "test_any_history_of_calls_leads_to_what_the_model_holds"
    ),
    "control::TestRetriesWhileBodiesRun": "test_a_failed_run_that_still_executes_cannot_be_retried",
    "sessions::TestReapsBeforeItIsSteady": "test_a_newcomer_reaps_nobody",
    "sessions::TestEndsExpiredSessions": "test_an_expired_session_may_renew",
    "instances::TestSharesItsHeads": "test_a_loaded_head_is_the_callers_own",
    "instances::TestPagesByOffset": "test_runs_created_meanwhile_move_no_page",
    "instances::TestKeepsSignalsOnReplace": "test_replacing_drops_the_pending_signals",
    "instances::TestPrunesWhatStillRuns": "test_pruning_spares_a_run_that_a_session_still_holds",
    "results::TestOrdersTurnsAsText": "test_the_last_turn_is_the_highest_by_number",
    "results::TestSortsItsHistory": "test_pages_join_to_the_history_in_writing_order",
}
"""Each broken store with the test that must find its bug."""


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Run the named test of every broken store, and return the complaints about each."""
    report = tmp_path_factory.mktemp("broken") / "report.xml"
    options = ["-p", "no:cacheprovider", "-p", "no:randomly", "-c", os.devnull, "-q"]
    run = subprocess.run(
        [
            *[sys.executable, "-m", "pytest", "--import-mode=importlib", *options],
            *[f"--rootdir={FOLDER.parent}", f"--junitxml={report}"],
            *[_node_id(store, test) for store, test in NAMED_BY.items()],
        ],
        env={**os.environ, "PYTHONPATH": str(FOLDER.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert report.exists(), run.stdout + run.stderr
    return _by_store(ET.parse(report).getroot())  # noqa: S314 - our own file


@pytest.mark.parametrize("store", list(NAMED_BY))
def test_a_broken_store_fails_the_test_that_names_its_bug(
    store: str, failures: dict[str, list[str]]
) -> None:
    """Fail by an assertion, not by an accident."""
    complaints = failures[store]

    assert complaints, f"{NAMED_BY[store]} did not notice {store}"
    assert all(_is_assertion(complaint) for complaint in complaints), complaints


def test_every_broken_store_is_listed() -> None:
    """Forget no class of the folder."""
    written = {
        f"{file.stem}::{name}"
        for file in FOLDER.glob("*.py")
        for name in re.findall(r"^class (Test\w+)", file.read_text("utf-8"), re.MULTILINE)
    }

    assert set(NAMED_BY) == written


def _node_id(store: str, test: str) -> str:
    module, _, name = store.partition("::")
    return f"{FOLDER / module}.py::{name}::{test}"


def _by_store(root: ET.Element) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {store: [] for store in NAMED_BY}
    for case in root.iter("testcase"):
        *_, module, name = case.attrib["classname"].split(".")
        found[f"{module}::{name}"].extend(_complaints(case))
    return found


def _complaints(case: ET.Element) -> Iterator[str]:
    for kind in ("failure", "error"):
        for complaint in case.iter(kind):
            yield complaint.attrib["message"]


def _is_assertion(complaint: str) -> bool:
    return complaint.startswith(("AssertionError", "assert ", "Failed: DID NOT RAISE"))
