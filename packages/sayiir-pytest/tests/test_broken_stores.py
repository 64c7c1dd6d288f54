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
    "taking::TestGrantsEveryBranch": "test_a_writer_gets_exactly_the_branches_that_it_takes",
    "taking::TestGrantsEveryBranchInGeneral": "test_a_batch_equals_its_checkpoints_one_by_one",
    "taking::TestGrantsNoBranch": "test_each_fork_of_a_batch_gives_its_own_branches",
    "taking::TestGrantsAHeldBranch": "test_no_branch_of_a_held_run_is_taken",
    "taking::TestGrantsAgainWhenRepeated": (
        "test_a_repeated_fork_grants_nothing_and_takes_nothing_back"
    ),
    "taking::TestGrantsWithoutHolding": "test_a_writer_gets_exactly_the_branches_that_it_takes",
    "taking::TestQueuesTheRestInSilence": ("test_a_hint_follows_whatever_makes_a_cursor_claimable"),
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
    "avoidance::TestNeverAvoids": (
        "test_a_failed_attempt_is_left_to_another_session_that_serves_its_lane"
    ),
    "avoidance::TestNeverAvoidsInGeneral": (
        "test_any_history_of_calls_leads_to_what_the_model_holds"
    ),
    "avoidance::TestAvoidsWhateverOthersServe": (
        "test_where_no_other_session_serves_the_lane_nothing_is_left"
    ),
    "avoidance::TestLeavesWorkToTheDead": (
        "test_what_was_left_to_a_session_that_is_over_is_taken_at_once"
    ),
    "avoidance::TestLeavesWorkToWhoServesSomethingElse": "test_each_lane_is_judged_by_itself",
    "avoidance::TestAvoidsForEver": (
        "test_the_moment_is_as_long_as_the_back_off_but_two_seconds_at_most"
    ),
    "avoidance::TestLimitsBeforeItAvoids": "test_what_is_passed_over_does_not_use_up_the_limit",
    "outlook::TestLooksIntoEveryLane": "test_where_nothing_is_queued_nothing_is_due",
    "outlook::TestCountsWhatIsTaken": "test_what_nobody_could_claim_does_not_count",
    "outlook::TestCountsWhatIsTakenInGeneral": (
        "test_any_history_of_calls_leads_to_what_the_model_holds"
    ),
    "outlook::TestNeverLooksBack": "test_what_is_due_already_has_an_instant_in_the_past",
    "outlook::TestSeesOnlyWhatIsDue": "test_a_cursor_at_rest_is_due_at_its_instant",
    "outlook::TestLooksAtTheMostUrgentOnly": "test_the_first_of_all_the_lanes_counts",
    "outlook::TestCountsOnAndOn": "test_the_count_ends_at_its_bound",
    "outlook::TestCountsWhatSleeps": "test_what_nobody_could_claim_now_is_not_counted",
    "outlook::TestTellsOfFullLanesOnly": ("test_each_lane_has_one_entry_also_where_nothing_waits"),
    "outlook::TestTellsOfFullLanesOnlyInGeneral": (
        "test_any_history_of_calls_leads_to_what_the_model_holds"
    ),
    "ownership::TestDisownsByInstance": (
        "test_disowning_an_earlier_run_leaves_the_later_one_alone"
    ),
    "ownership::TestDisownsByInstanceInGeneral": (
        "test_any_history_of_calls_leads_to_what_the_model_holds"
    ),
    "ownership::TestClaimsByInstance": "test_nothing_is_claimed_of_an_earlier_run",
    "refusals::TestAbandonsTheBatch": "test_a_refused_row_fails_alone_in_a_batch_of_all_kinds",
    "refusals::TestStoresWhatItRefuses": (
        "test_a_row_that_the_store_cannot_hold_is_refused_and_changes_nothing"
    ),
    "refusals::TestReleasesWhatItRefuses": (
        "test_a_row_that_the_store_cannot_hold_is_refused_and_changes_nothing"
    ),
    "refusals::TestGoesOnBehindWhatItRefuses": (
        "test_what_follows_a_refused_step_of_one_cursor_is_stale"
    ),
    "refusals::TestCountsARefusedArrival": "test_a_refused_arrival_is_not_counted",
    "headers::TestSortsItsHeaders": "test_headers_are_answered_in_the_order_asked",
    "headers::TestLeavesOutTheUnknown": "test_unknown_ids_have_no_header",
    "headers::TestRemembersHeaders": "test_a_replaced_run_is_answered_by_the_new_one",
    "headers::TestSharesItsHeaders": "test_a_header_is_the_callers_own",
    "headers::TestSearchesByPattern": "test_the_text_is_no_pattern",
    "headers::TestMindsTheCase": "test_an_error_is_found_by_its_type_whatever_the_case",
    "headers::TestKnowsAsciiOnly": "test_an_error_is_found_by_its_message_whatever_the_case",
    "headers::TestSearchesTracebacks": "test_only_the_type_and_the_message_are_searched",
    "headers::TestSearchesInsteadOfNarrowing": "test_a_search_goes_with_other_conditions_and_pages",
    "hints::TestCreatesInSilence": "test_a_hint_follows_whatever_makes_a_cursor_claimable",
    "hints::TestSendsInSilence": "test_a_hint_follows_whatever_makes_a_cursor_claimable",
    "hints::TestCommitsInSilence": "test_a_hint_follows_whatever_makes_a_cursor_claimable",
    "hints::TestFinishesInSilence": "test_a_hint_follows_the_end_of_a_run",
    "hints::TestUnpausesInSilence": "test_a_hint_follows_whatever_makes_a_cursor_claimable",
    "hints::TestRetriesInSilence": "test_a_hint_follows_whatever_makes_a_cursor_claimable",
    "hints::TestCancelsInSilence": "test_a_hint_follows_the_end_of_a_run",
    "hints::TestReleasesInSilence": "test_a_hint_follows_whatever_makes_a_cursor_claimable",
    "hints::TestReleasesCallsInSilence": "test_a_hint_follows_whatever_makes_a_cursor_claimable",
    "hints::TestReconcilesInSilence": "test_a_hint_follows_whatever_makes_a_cursor_claimable",
    "hints::TestEndsInSilence": "test_a_hint_follows_whatever_makes_a_cursor_claimable",
    "hints::TestReapsInSilence": "test_a_hint_follows_whatever_makes_a_cursor_claimable",
    "hints::TestDisownsInSilence": "test_a_hint_follows_whatever_makes_a_cursor_claimable",
    "hints::TestDisownsSleepersInSilence": (
        "test_a_hint_follows_the_giving_up_of_a_run_that_sleeps"
    ),
    "hints::TestTellsTheLastOnly": "test_every_subscriber_is_told",
    "hints::TestTellsTheClosed": "test_a_closed_subscription_is_told_nothing",
    "hints::TestGivesUpAfterAFailure": "test_a_hint_that_raises_harms_nobody",
    "hints::TestListensOnlyWhenOpen": "test_subscribing_needs_no_open_backend",
    "hints::TestMixesTheKindsUp": "test_a_hint_follows_the_end_of_a_run",
    "hints::TestForgetsOneOfTwoKinds": (
        "test_a_commit_that_frees_a_cursor_and_ends_a_run_gives_both_kinds_of_hint"
    ),
    "hints::TestTellsOnlyItsOwnBackend": "test_hints_reach_another_backend_on_the_same_place",
    "sessions::TestForgetsLanes": "test_a_session_shows_the_lanes_that_it_serves",
    "sessions::TestForgetsLanesInGeneral": (
        "test_any_history_of_calls_leads_to_what_the_model_holds"
    ),
    "sessions::TestListsTheEnded": "test_who_has_ended_is_not_listed_and_who_is_late_is",
    "sessions::TestOmitsTheLate": "test_who_has_ended_is_not_listed_and_who_is_late_is",
    "sessions::TestListsByLanguage": "test_the_living_are_listed_by_worker_and_then_by_session",
    "sessions::TestReconcilesByInstance": (
        "test_reconciling_an_earlier_run_leaves_the_later_one_alone"
    ),
    "sessions::TestReconcilesEveryRun": "test_one_run_can_be_reconciled_alone",
    "signals::TestExpiresWhatMayGoOn": ("test_signals_expire_only_where_nothing_will_consume_them"),
    "signals::TestExpiresWhatMayGoOnInGeneral": (
        "test_any_history_of_calls_leads_to_what_the_model_holds"
    ),
    "signals::TestExpiresWithoutEnd": "test_a_call_removes_at_most_the_limit_and_says_how_many",
    "signals::TestExpiresAtTheInstant": (
        "test_a_signal_expires_strictly_by_the_instant_of_its_arrival"
    ),
    "signals::TestNumbersAnew": "test_the_numbering_of_an_inbox_goes_on",
    "keyvalue::TestTakesTheValueForItsVersion": "test_a_version_never_comes_back",
    "keyvalue::TestComparesBeforeItLocks": (
        "test_of_conditional_writes_at_once_exactly_one_is_written"
    ),
    "keyvalue::TestSortsByUtf16": "test_a_scan_goes_by_the_bytes_of_the_keys",
    "keyvalue::TestBeginsAtTheKeyItself": (
        "test_a_scan_begins_behind_any_key_and_ends_at_its_limit"
    ),
    "keyvalue::TestTakesEmptyForAbsent": "test_a_value_is_read_as_it_was_written",
    "keyvalue::TestWritesBeforeItRefuses": "test_a_value_that_is_too_long_is_refused",
    "signals::TestExpiresTheConsumed": "test_a_consumed_signal_never_expires",
    "leftovers::TestAppliesAReplayTwiceInside": "test_what_is_not_written_leaves_no_row",
    "leftovers::TestCopiesTheInput": "test_payloads_are_stored_once_and_as_they_are",
    "leftovers::TestLeavesSignalsBehind": "test_a_pruned_run_leaves_no_row",
    "processes::TestOwnsOnAStaleRead": "test_of_many_processes_exactly_one_owns_an_instance",
    "processes::TestRemembersItsCommits": (
        "test_of_equal_commits_of_many_processes_exactly_one_is_written"
    ),
    "processes::TestNumbersInProcess": "test_signals_of_many_processes_are_numbered_apart",
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
